// A partial set of settings merged into the current one (controller contract, section 5, Settings, whitelist, TLS).

import { isDeepStrictEqual } from 'node:util'
import type { AppSettings, Autoscale, Tls } from './app.ts'
import { quoted, readBoolean } from './field.ts'
import { isRecord, type JsonMap, readBody, readMap, textOfValue } from './json-map.ts'
import { isProcessType, processTypeFault } from './process-type.ts'
import { invalid, Refusal } from './refusal.ts'
import { mostProcesses } from './structure.ts'
import { parseAddresses } from './whitelist.ts'

/** Octets of all labels, and of all rules, as JSON. */
const mostOctets = 65_536

/** Kubernetes has an integer for it, machines have no use for more. */
const largestPercent = 10_000

export type SettingsFields = Pick<AppSettings, 'maintenance' | 'routable' | 'whitelist' | 'autoscale' | 'label'>

export interface MergedSettings {
  readonly settings: SettingsFields
  /** Names of the fields that differ. */
  readonly changed: readonly (keyof SettingsFields)[]
}

export function mergeSettings(current: SettingsFields, change: unknown, user: string): MergedSettings {
  const body = readBody(change)
  // Null, like nothing, leaves a field as it was.
  const given = (field: string): unknown => (Object.hasOwn(body, field) ? (body[field] ?? undefined) : undefined)
  const flag = (field: 'maintenance' | 'routable'): boolean =>
    given(field) === undefined ? current[field] : readBoolean(field, given(field))
  const settings: SettingsFields = {
    maintenance: flag('maintenance'),
    routable: flag('routable'),
    whitelist: given('whitelist') === undefined ? current.whitelist : parseAddresses(given('whitelist')),
    autoscale: merge('autoscale', current.autoscale, readMap('autoscale', given('autoscale')), parseAutoscale),
    label: merge('label', current.label, readMap('label', given('label')), parseLabel),
  }
  const fields = Object.keys(settings) as (keyof SettingsFields)[]
  const changed = fields.filter(field =>
    field === 'whitelist'
      ? !isDeepStrictEqual(new Set(current.whitelist), new Set(settings.whitelist))
      : !isDeepStrictEqual(current[field], settings[field]),
  )
  if (changed.length === 0) throw new Refusal('conflict', `${user} changed nothing`)
  return { settings, changed }
}

function merge<T>(
  field: 'autoscale' | 'label',
  current: Readonly<Record<string, T>>,
  changes: JsonMap | null,
  parse: (key: string, value: unknown) => T,
): Readonly<Record<string, T>> {
  if (changes === null) return current
  const parsed = [...changes].map(([key, value]) => [key, value === null ? null : parse(key, value)] as const)
  const merged = new Map(Object.entries(current))
  for (const [key, value] of parsed) {
    if (value !== null) merged.set(key, value)
    else if (!merged.delete(key)) throw new Refusal('absent', `${key} does not exist under ${field}`)
  }
  const record = Object.fromEntries(merged)
  if (Buffer.byteLength(JSON.stringify(record)) > mostOctets) {
    throw invalid(field, `Ensure this field has no more than ${mostOctets} characters.`)
  }
  // The same rules in the same order, so that what is equal is seen to be.
  return isDeepStrictEqual(current, record) ? current : record
}

/** Metadata: kept as text, which may be empty. */
function parseLabel(_key: string, value: unknown): string {
  const text = textOfValue(value)
  if (text === null) throw invalid('label', 'Not a valid string.')
  return text
}

const autoscaleFields = ['min', 'max', 'cpu_percent'] as const

function parseAutoscale(type: string, raw: unknown): Autoscale {
  if (!isProcessType(type)) throw invalid('autoscale', processTypeFault)
  const fail = (why: string): never => {
    throw invalid('autoscale', `could not validate ${quoted(raw)}: ${why}`)
  }
  if (!isRecord(raw)) return fail(`${quoted(raw)} is not of type 'object'`)
  const integer = (field: (typeof autoscaleFields)[number]): number => {
    if (!Object.hasOwn(raw, field)) return fail(`'${field}' is a required property`)
    const value = raw[field]
    if (Number.isInteger(value)) return value as number
    return fail(`${typeof value === 'string' ? `'${quoted(value)}'` : quoted(value)} is not of type 'integer'`)
  }
  const [min, max, percent] = autoscaleFields.map(integer) as [number, number, number]
  if (min < 1) throw new Refusal('illogical', 'min replicas needs to be 1 or higher')
  if (max < min) throw new Refusal('illogical', 'max replicas needs to be equal to or higher than min replicas')
  if (max > mostProcesses) throw new Refusal('illogical', `max replicas needs to be ${mostProcesses} or lower`)
  if (percent < 1 || percent > largestPercent) {
    throw new Refusal('illogical', `cpu_percent needs to be between 1 and ${largestPercent}`)
  }
  return { min, max, cpu_percent: percent }
}

/** What `https_enforced` becomes. */
export function changeTls(current: Pick<Tls, 'httpsEnforced'>, change: unknown, user: string): boolean {
  const body = readBody(change)
  if (!Object.hasOwn(body, 'https_enforced')) throw invalid('https_enforced', 'This field is required.')
  const value = readBoolean('https_enforced', body.https_enforced)
  if (value === current.httpsEnforced) throw new Refusal('conflict', `${user} changed nothing`)
  return value
}
