// Whom an app lets in by certificate: three annotations, any one of which closes the app. What is missing or cannot be read
// leaves it closed: what somebody closed shall not open by a slip of the pen.

import type { ObjectRef, Problem } from '../model/problem.ts'
import type { Policy } from '../model/route.ts'
import { boolean, oneOf, type Parser } from './annotation.ts'
import { type Annotations, annotation, grave, inForce, optional, row } from './annotation-table.ts'
import { objectName } from './object-shape.ts'

export interface ClientCertificateSettings {
  /** The Secret with the authorities, in the object's own namespace; null: nobody gets in. */
  readonly secret: string | null
  readonly required: boolean
  readonly passToApp: boolean
}

const secretName: Parser<string> = raw =>
  objectName.test(raw) ? { kind: 'value', value: raw } : { kind: 'bad', reason: 'is no name of a Secret' }

const keys = {
  secret: 'clientCertificates.secret',
  mode: 'clientCertificates.mode',
  passToApp: 'clientCertificates.passToApp',
} as const

export const clientCertificateKeys: readonly string[] = Object.values(keys)

export const clientCertificateRows = {
  [keys.secret]: grave(optional(secretName, 'nobody gets in', inForce)),
  [keys.mode]: grave(row(oneOf('required', 'optional'), 'required', inForce)),
  [keys.passToApp]: row(boolean, 'false', inForce),
}

interface Values {
  readonly [keys.secret]: string | null
  readonly [keys.mode]: 'required' | 'optional'
  readonly [keys.passToApp]: boolean
}

/** Null: none of the annotations is there. Adds a Problem to `problems` when nobody can ever get in. */
export function clientCertificatesOf(
  values: Values,
  prefix: string,
  annotations: Annotations,
  object: ObjectRef,
  problems: Problem[],
): ClientCertificateSettings | null {
  if (clientCertificateKeys.every(key => annotation(annotations, prefix + key) === null)) return null
  const secret = values[keys.secret]
  if (annotation(annotations, prefix + keys.secret) === null) {
    const message = `${prefix}${keys.secret} is missing, which the other annotations of client certificates need: nobody gets in`
    problems.push({ code: 'invalid-annotation', severity: 'error', object, message })
  }
  return { secret, required: values[keys.mode] === 'required', passToApp: values[keys.passToApp] }
}

/** The policy while its authorities are not known: nobody gets in. */
export function closedPolicy({ required, passToApp }: ClientCertificateSettings): Policy {
  return { kind: 'client-certificate', authorities: null, required, passToApp }
}
