// How the API is declared: a path, who may use it, and what each method does. From these declarations come the routes
// of the server, the order of checks (controller contract, section 1: who, may they, method, body) and the OpenAPI
// document, so that none of them can differ from the others.

import type { z } from 'zod'
import type { User } from '../domain/user.ts'

export type Method = 'GET' | 'POST' | 'DELETE'

/** What of a request is known before its body is read. */
export interface Call {
  /** Percent-decoded. */
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, unknown>>
  readonly method: string
  readonly authorization: string | null
  /** Value of `X-Deis-Builder-Auth`. */
  readonly builderKey: string | null
  /** Value of `Idempotency-Key`. */
  readonly idempotencyKey: string | null
  readonly lastEventId: string | null
  /** The client's, or of the last proxy that is not trusted. */
  readonly address: string
  /** `https://deis.example.com/v2/apps/?limit=2`, for the links of a page. */
  readonly url: URL
  /** Aborts when the client goes away. */
  readonly gone: AbortSignal
}

/** A rule of who may call, and what it found out about the caller. */
export interface Access<C> {
  /** As the OpenAPI document names it; null: nobody has to prove anything. */
  readonly scheme: 'token' | 'builder' | 'basic' | null
  /** Throws a Refusal. */
  admit(call: Call): Promise<C>
}

export type Answer =
  /**
   * `body` undefined: no octet. `warning`: it is done, but not all that one would think; in ASCII, without quotes. Clients
   * that know of it show it.
   */
  | { readonly kind: 'json'; readonly status: number; readonly body: unknown; readonly warning?: string }
  | { readonly kind: 'text'; readonly status: number; readonly body: string }
  /** Server-sent events, until the iterable ends or the client goes. */
  | { readonly kind: 'events'; readonly events: (signal: AbortSignal) => AsyncIterable<string> }
  /** Plain text that goes on until the iterable ends. It is iterated in any case, and ends soon after `end` was called. */
  | { readonly kind: 'stream'; readonly chunks: AsyncIterable<Uint8Array>; readonly end: () => void }

export const ok = (body?: unknown, warning?: string): Answer => json(200, body, warning)
export const created = (body?: unknown, warning?: string): Answer => json(201, body, warning)
export const noContent: Answer = { kind: 'json', status: 204, body: undefined }
export const text = (body: string, status = 200): Answer => ({ kind: 'text', status, body })

function json(status: number, body: unknown, warning: string | undefined): Answer {
  return { ...{ kind: 'json', status, body }, ...(warning === undefined ? {} : { warning }) }
}

/** What the document says of a query parameter: a whole number unless it has a schema of its own. */
export type QueryParameter =
  | string
  | { readonly description: string; readonly schema: Readonly<Record<string, unknown>> }

/** What the document says of an answer: a schema for JSON, a media type for text, null for no body. */
export type AnswerShape = z.ZodType | 'text/plain' | 'text/event-stream' | null

export interface Operation<C> {
  /** One line for the document. */
  readonly summary: string
  /** Absent: a body is not looked at. */
  readonly body: z.ZodType | null
  /** Query parameters beside `limit` and `offset` of a page. */
  readonly query: Readonly<Record<string, QueryParameter>>
  readonly paged: boolean
  readonly answers: Readonly<Record<number, AnswerShape>>
  readonly handle: (context: C, call: Call, body: unknown) => Promise<Answer>
}

interface OperationOptions<C, B extends z.ZodType | undefined> {
  readonly summary: string
  readonly body?: B
  readonly query?: Readonly<Record<string, QueryParameter>>
  readonly paged?: boolean
  readonly answers: Readonly<Record<number, AnswerShape>>
  readonly handle: (context: C, call: Call, body: B extends z.ZodType ? z.output<B> : undefined) => Promise<Answer>
}

/** The bodies of different operations differ in type; here, after the schema has checked them, they meet. */
export function operation<C, B extends z.ZodType | undefined = undefined>(
  options: OperationOptions<C, B>,
): Operation<C> {
  return {
    summary: options.summary,
    body: options.body ?? null,
    query: options.query ?? {},
    paged: options.paged ?? false,
    answers: options.answers,
    handle: options.handle as Operation<C>['handle'],
  }
}

/**
 * Whether a slash may end the path (controller contract, section 1). `optional` unless said; there are no redirects.
 */
export type Slash = 'optional' | 'required' | 'forbidden'

export interface Resource {
  /** Without slash at its end; `:name` for a parameter, `:name(expression)` when it is not any text. */
  readonly path: string
  readonly slash: Slash
  readonly access: Access<unknown>
  readonly methods: Readonly<Partial<Record<Method, Operation<unknown>>>>
}

export function resource<C>(
  path: string,
  access: Access<C>,
  methods: Readonly<Partial<Record<Method, Operation<C>>>>,
  slash: Slash = 'optional',
): Resource {
  return { path, slash, access: access as Access<unknown>, methods: methods as Resource['methods'] }
}

/** The caller of a resource that any user may use. */
export interface Caller {
  readonly user: User
}
