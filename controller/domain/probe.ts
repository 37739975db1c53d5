// What one probe may say, so that the API server takes it (controller contract, section 5, Config).

import type { Probe } from './config.ts'
import { quoted, textFault } from './field.ts'
import { isRecord } from './json-map.ts'

export const probeKinds = ['livenessProbe', 'readinessProbe'] as const
export type ProbeKind = (typeof probeKinds)[number]

const timings = [
  'initialDelaySeconds',
  'timeoutSeconds',
  'periodSeconds',
  'successThreshold',
  'failureThreshold',
] as const

/** As in Kubernetes. */
const largestInteger = 2 ** 31 - 1

/** Carries what is wrong with a probe out of the depth of the checks. */
export class ProbeFault extends Error {}

/** Keeps of a probe what is known. Throws ProbeFault. */
export function parseProbe(kind: ProbeKind, raw: unknown): Probe {
  const fail = (why: string): never => {
    throw new ProbeFault(`could not validate ${quoted(raw)}: ${why}`)
  }
  const probe = new Fields(raw, fail)
  const exec = probe.object('exec')
  const httpGet = probe.object('httpGet')
  const tcpSocket = probe.object('tcpSocket')
  const handlers = [exec, httpGet, tcpSocket].filter(handler => handler !== null)
  const parsed: Probe = {
    ...(exec === null ? {} : { exec: { command: exec.texts('command') } }),
    ...(httpGet === null ? {} : { httpGet: parseHttpGet(httpGet) }),
    ...(tcpSocket === null ? {} : { tcpSocket: { port: tcpSocket.required('port', 1, 65535) } }),
    ...Object.fromEntries(
      timings.flatMap(timing => {
        const value = probe.integer(timing, 0, largestInteger)
        return value === null ? [] : [[timing, value]]
      }),
    ),
  }
  if (handlers.length !== 1) fail('exactly one of exec, httpGet and tcpSocket is required')
  if (kind === 'livenessProbe' && (parsed.successThreshold ?? 1) !== 1) {
    throw new ProbeFault('livenessProbe successThreshold can only be 1')
  }
  return parsed
}

function parseHttpGet(fields: Fields): NonNullable<Probe['httpGet']> {
  const port = fields.required('port', 1, 65535)
  const path = fields.text('path')
  const host = fields.text('host')
  const scheme = fields.text('scheme')
  const headers = fields.objects('httpHeaders')
  if (scheme !== null && !/^https?$/i.test(scheme)) fields.fail(`'${quoted(scheme)}' is not one of ['HTTP', 'HTTPS']`)
  return {
    port,
    ...(path === null ? {} : { path }),
    ...(host === null ? {} : { host }),
    ...(scheme === null ? {} : { scheme: scheme.toUpperCase() }),
    ...(headers === null ? {} : { httpHeaders: headers.map(parseHeader) }),
  }
}

function parseHeader(fields: Fields): { readonly name: string; readonly value: string } {
  const name = fields.text('name') ?? fields.fail("'name' is a required property")
  if (!/^[-A-Za-z0-9]+$/.test(name)) fields.fail(`'${quoted(name)}' is not the name of a header`)
  return { name, value: fields.text('value') ?? '' }
}

/** The fields of an object, read by type; `fail` says what is wrong. */
class Fields {
  readonly #record: Readonly<Record<string, unknown>>
  readonly fail: (why: string) => never

  constructor(raw: unknown, fail: (why: string) => never) {
    this.fail = fail
    this.#record = isRecord(raw) ? raw : this.#mistyped(raw, 'object')
  }

  #get(key: string): unknown {
    return Object.hasOwn(this.#record, key) ? this.#record[key] : undefined
  }

  #mistyped(value: unknown, type: string): never {
    return this.fail(`${typeof value === 'string' ? `'${quoted(value)}'` : quoted(value)} is not of type '${type}'`)
  }

  object(key: string): Fields | null {
    const value = this.#get(key)
    return value === undefined ? null : new Fields(value, this.fail)
  }

  objects(key: string): readonly Fields[] | null {
    const value = this.#get(key)
    // Clients in Go write null for an empty list.
    if (value === undefined || value === null) return null
    if (!Array.isArray(value)) return this.#mistyped(value, 'array')
    return value.map(item => new Fields(item, this.fail))
  }

  text(key: string): string | null {
    const value = this.#get(key)
    if (value === undefined) return null
    if (typeof value !== 'string') return this.#mistyped(value, 'string')
    const fault = textFault(value)
    return fault === null ? value : this.fail(fault)
  }

  /** One at least. */
  texts(key: string): readonly string[] {
    const value = this.#get(key)
    if (value === undefined) return this.fail(`'${key}' is a required property`)
    if (!Array.isArray(value)) return this.#mistyped(value, 'array')
    if (value.length === 0) return this.fail('[] is too short')
    for (const item of value) {
      if (typeof item !== 'string') this.#mistyped(item, 'string')
      const fault = textFault(item)
      if (fault !== null) this.fail(fault)
    }
    return value
  }

  integer(key: string, least: number, most: number): number | null {
    const value = this.#get(key)
    if (value === undefined) return null
    if (!Number.isInteger(value)) return this.#mistyped(value, 'integer')
    const integer = value as number
    if (integer < least) return this.fail(`${integer} is less than the minimum of ${least}`)
    return integer > most ? this.fail(`${integer} is greater than the maximum of ${most}`) : integer
  }

  required(key: string, least: number, most: number): number {
    return this.integer(key, least, most) ?? this.fail(`'${key}' is a required property`)
  }
}
