// Why something that was asked for is not done. Rules throw these, the API turns each kind into a status and a body
// (controller contract, sections 1 and 5).

export type RefusalKind =
  /** What was sent breaks a rule of one or several fields. 400 */
  | 'invalid'
  /** It makes no sense now. 400 */
  | 'illogical'
  | 'unauthenticated'
  | 'forbidden'
  /** What the URL names. 404, the message as a bare string */
  | 'missing'
  /** What the request names otherwise, such as a process type. 404 with `detail` */
  | 'unknown'
  | 'not-allowed'
  /** 409 */
  | 'conflict'
  /** A key to be removed is not there. 422 */
  | 'absent'
  /** 413 */
  | 'too-large'
  | 'unsupported-media'
  /** 429 */
  | 'too-many'
  /** The cluster could not do it. 503 */
  | 'unavailable'
  /** There is no room to keep it. 507 */
  | 'full'

/** Field → what is wrong with it. */
export type FieldFaults = Readonly<Record<string, readonly string[]>>

export class Refusal extends Error {
  readonly kind: RefusalKind
  /** For `invalid` only. */
  readonly fields: FieldFaults | null
  /** When to come again, seconds; for `too-many` only. */
  readonly retryAfter: number | null

  constructor(kind: RefusalKind, message: string, options: RefusalOptions = {}) {
    super(message, options)
    this.name = 'Refusal'
    this.kind = kind
    this.fields = options.fields ?? null
    this.retryAfter = options.retryAfter ?? null
  }
}

interface RefusalOptions extends ErrorOptions {
  readonly fields?: FieldFaults
  readonly retryAfter?: number
}

/** Reading goes on meanwhile, and nothing is half done. */
export function noRoom(cause: unknown): Refusal {
  return new Refusal('full', 'The disk of the platform is full: nothing can be changed until there is room.', { cause })
}

/** A fault of one field. */
export function invalid(field: string, ...messages: readonly string[]): Refusal {
  return new Refusal('invalid', `${field}: ${messages.join(' ')}`, { fields: { [field]: messages } })
}

/** What the API calls things that are not there: `No App matches the given query.` */
export type Noun = 'App' | 'Release' | 'Build' | 'Config' | 'Domain' | 'Certificate' | 'Key' | 'User'

export function missing(noun: Noun): Refusal {
  return new Refusal('missing', `No ${noun} matches the given query.`)
}
