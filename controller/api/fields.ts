// Fields of request bodies (controller contract, sections 1 and 10): read as the domain reads them, and described for the
// document. What is not declared is not looked at.

import { z } from 'zod'
import { readBoolean, readText, type TextRules } from '../domain/field.ts'
import { type FieldFaults, Refusal } from '../domain/refusal.ts'

export function textField(rules: TextRules = {}) {
  const { most, blank = false } = rules
  // Told and not checked again: the domain counts characters, and this would count units.
  const lengths = { ...(blank ? {} : { minLength: 1 }), ...(most === undefined ? {} : { maxLength: most }) }
  return readField(raw => readText('', raw, rules), z.string().meta(lengths))
}

export function booleanField() {
  return readField(raw => readBoolean('', raw), z.boolean())
}

/** `read` throws an `invalid` Refusal of one field. */
function readField<Described extends z.ZodType>(read: (raw: unknown) => unknown, described: Described) {
  return z.preprocess((raw, context) => {
    try {
      return read(raw)
    } catch (error) {
      if (!(error instanceof Refusal) || error.fields === null) throw error
      for (const message of Object.values(error.fields).flat()) context.addIssue(message)
      return z.NEVER
    }
  }, described)
}

/** What a rule of the domain looks at itself; `description` is for the document. */
export function rawField(description: string) {
  return z.unknown().meta({ description })
}

/**
 * What a schema makes of a body. An absent body is an empty object: clients send none where all fields are optional.
 * Throws an `invalid` Refusal that names every field.
 */
export function parseBody(schema: z.ZodType, body: unknown): unknown {
  const given = body === undefined ? {} : body
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    const got = Array.isArray(given) ? 'list' : given === null ? 'null' : typeof given
    throw fieldRefusal({ non_field_errors: [`Invalid data. Expected a dictionary, but got ${got}.`] })
  }
  const result = schema.safeParse(given)
  if (result.success) return result.data
  const faults: Record<string, string[]> = Object.create(null)
  for (const { path, message } of result.error.issues) {
    const field = String(path[0] ?? 'non_field_errors')
    faults[field] ??= []
    faults[field].push(message)
  }
  throw fieldRefusal(faults)
}

/** What each of several fields is read as. Throws an `invalid` Refusal that names all that are not as they should be. */
export function readFields<T extends Readonly<Record<string, () => unknown>>>(
  readers: T,
): { readonly [field in keyof T]: ReturnType<T[field]> } {
  const faults: Record<string, readonly string[]> = Object.create(null)
  const read = Object.entries(readers).map(([field, reader]) => {
    try {
      return [field, reader()]
    } catch (error) {
      if (!(error instanceof Refusal) || error.fields === null) throw error
      Object.assign(faults, error.fields)
      return [field, null]
    }
  })
  if (Object.keys(faults).length > 0) throw fieldRefusal(faults)
  return Object.fromEntries(read)
}

function fieldRefusal(fields: FieldFaults): Refusal {
  return new Refusal('invalid', 'the body is not valid', { fields })
}
