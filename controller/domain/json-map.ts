// Maps in request bodies: objects, or JSON texts of such. Their keys are what somebody sent, `__proto__` and `constructor`
// among them: they are read as a Map, kept as own properties, and looked up with `own`.

import { textFault } from './field.ts'
import { invalid } from './refusal.ts'

/** Entries of one map. */
const mostEntries = 10_000

export type JsonMap = ReadonlyMap<string, unknown>

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What `key` holds in `record` itself, whatever its prototype has. */
export function own<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined
}

/** A body of fields; none at all when it is absent. */
export function readBody(raw: unknown): Readonly<Record<string, unknown>> {
  if (raw === undefined || raw === null || raw === '') return {}
  if (isRecord(raw)) return raw
  throw invalid('non_field_errors', `Invalid data. Expected a dictionary, but got ${typeName(raw)}.`)
}

/** The map in a field of a body; null when the field is absent. */
export function readMap(field: string, raw: unknown): JsonMap | null {
  if (raw === undefined) return null
  if (raw === null) throw invalid(field, 'This field may not be null.')
  const value = typeof raw === 'string' ? parse(field, raw) : raw
  if (!isRecord(value)) {
    throw invalid(field, `Expected a dictionary of items but got type "${typeName(value)}".`)
  }
  const entries = Object.entries(value)
  if (entries.length > mostEntries) throw invalid(field, `Ensure this field has no more than ${mostEntries} elements.`)
  for (const [key] of entries) {
    const fault = textFault(key)
    if (fault !== null) throw invalid(field, fault)
  }
  return new Map(entries)
}

function parse(field: string, text: string): unknown {
  try {
    // Names of the prototype become own properties here, as in a body.
    return JSON.parse(text)
  } catch {
    // Too deep a text overflows the stack, which is a RangeError.
    throw invalid(field, 'Value must be valid JSON.')
  }
}

/** What clients written for the first controller expect types to be called. */
function typeName(value: unknown): string {
  if (Array.isArray(value)) return 'list'
  switch (typeof value) {
    case 'string':
      return 'str'
    case 'boolean':
      return 'bool'
    case 'number':
      return Number.isInteger(value) ? 'int' : 'float'
    default:
      return value === null ? 'NoneType' : 'dict'
  }
}

/**
 * A value of a map as the text that is kept: numbers as their digits, booleans as the first controller wrote them. Null:
 * it is none.
 */
export function textOfValue(value: unknown): string | null {
  switch (typeof value) {
    case 'string':
      return textFault(value) === null ? value : null
    case 'number':
      // Beyond this JSON has lost digits already, and all of `1e400`.
      return !Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value)) ? null : String(value)
    case 'boolean':
      return value ? 'True' : 'False'
    default:
      return null
  }
}
