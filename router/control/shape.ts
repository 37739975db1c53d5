// Reading values that nobody has checked, piece by piece. `shaped` turns the first piece that is not what it should be
// into a reason. `null` counts as absent, as in the API.

export type Shaped<T> =
  | { readonly kind: 'good'; readonly object: T }
  /** `reason` completes a sentence that begins with the object: `metadata.labels is no map of strings`. */
  | { readonly kind: 'malformed'; readonly reason: string }

/** Thrown by the readers below, which nest, and caught by `shaped`, the outermost. */
export class Malformed extends Error {}

export type Fields = Readonly<Record<string, unknown>>

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function fields(value: unknown, path: string): Fields {
  if (value === undefined || value === null) return {}
  if (!isFields(value)) throw new Malformed(`${path} is no object`)
  return value
}

export function list(value: unknown, path: string): readonly unknown[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw new Malformed(`${path} is no list`)
  return value
}

export function optionalString(value: unknown, path: string): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') throw new Malformed(`${path} is no string`)
  return value
}

const undated = '~'

/** When an object came to be, to be compared as text; what nobody dates, or nobody can read, comes last. */
export function creationTime(value: unknown): string {
  const time = typeof value === 'string' ? Date.parse(value) : Number.NaN
  return Number.isNaN(time) ? undated : new Date(time).toISOString()
}

export function string(value: unknown, path: string): string {
  if (typeof value !== 'string') throw new Malformed(`${path} is no string`)
  return value
}

export function optionalBoolean(value: unknown, path: string): boolean | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'boolean') throw new Malformed(`${path} is neither true nor false`)
  return value
}

export function port(value: unknown, path: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65_535) return value
  throw new Malformed(`${path} is no port number`)
}

export function stringMap(value: unknown, path: string): Readonly<Record<string, string>> {
  const map = fields(value, path)
  for (const key of Object.keys(map)) {
    if (typeof map[key] !== 'string') throw new Malformed(`${path}: the value of ${JSON.stringify(key)} is no string`)
  }
  return map as Readonly<Record<string, string>>
}

export function shaped<T>(read: () => T): Shaped<T> {
  try {
    return { kind: 'good', object: read() }
  } catch (error) {
    if (error instanceof Malformed) return { kind: 'malformed', reason: error.message }
    throw error
  }
}
