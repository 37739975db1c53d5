// Fields of request bodies, with the texts that clients know (controller contract, sections 1 and 10). Text is trimmed,
// numbers are taken for text where text is wanted, and what is not declared is not looked at.

import { z } from 'zod'
import { type FieldFaults, Refusal } from '../domain/refusal.ts'

const required = 'This field is required.'
const notNull = 'This field may not be null.'

function absence(input: unknown): string | null {
  if (input === undefined) return required
  return input === null ? notNull : null
}

interface TextOptions {
  /** Characters. */
  readonly max?: number
  readonly blank?: boolean
  /** Spaces at the ends count: passwords. */
  readonly exact?: boolean
}

export function textField(options: TextOptions = {}) {
  const { max, blank = false, exact = false } = options
  let field = z.string({ error: ({ input }) => absence(input) ?? 'Not a valid string.' })
  // Text that no database stores: PostgreSQL has no NUL, and a lone surrogate is no character.
  field = field.refine(value => !value.includes('\0'), 'Null characters are not allowed.')
  field = field.refine(value => value.isWellFormed(), 'Not a valid string.')
  if (!exact) field = field.trim()
  if (!blank) field = field.min(1, 'This field may not be blank.')
  if (max !== undefined) field = field.max(max, `Ensure this field has no more than ${max} characters.`)
  return z.preprocess(value => (Number.isFinite(value) ? String(value) : value), field)
}

const truths = new Set<unknown>([true, 'true', 'True', 'TRUE', 't', 'y', 'yes', 'on', '1', 1])
const untruths = new Set<unknown>([false, 'false', 'False', 'FALSE', 'f', 'n', 'no', 'off', '0', 0])

export function booleanField() {
  return z.preprocess(
    value => (truths.has(value) ? true : untruths.has(value) ? false : value),
    z.boolean({ error: ({ input }) => absence(input) ?? `${JSON.stringify(shown(input))} is not a valid boolean.` }),
  )
}

function shown(input: unknown): string {
  return (typeof input === 'string' ? input : (JSON.stringify(input) ?? '')).slice(0, 50)
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
