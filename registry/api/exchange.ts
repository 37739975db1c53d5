// One request and its answer, as the resources see it.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Take } from '#store/store.ts'
import type { RegistryError } from '../errors.ts'
import type { Identity } from './access.ts'
import { bodyOf, OutgoingBody, wholeBody } from './body.ts'

export type Fields = Readonly<Record<string, string | number>>

export interface ExchangeOptions {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly url: URL
  /** Milliseconds. */
  readonly patience: number
  readonly absoluteLocations: boolean
}

export class Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly query: URLSearchParams
  /** Set when the request was found to be allowed. */
  identity: Identity | null = null
  /** Octets of its body so far. */
  received = 0
  /** Octets of the answer's body so far. */
  sent = 0
  readonly #patience: number
  readonly #absolute: boolean

  constructor({ request, response, url, patience, absoluteLocations }: ExchangeOptions) {
    this.request = request
    this.response = response
    this.query = url.searchParams
    this.#patience = patience
    this.#absolute = absoluteLocations
  }

  get isHead(): boolean {
    return this.request.method === 'HEAD'
  }

  field(name: string): string | null {
    const value = this.request.headers[name]
    return typeof value === 'string' ? value : null
  }

  async *body(): AsyncGenerator<Buffer> {
    this.#goAhead()
    for await (const chunk of bodyOf(this.request, this.#patience)) {
      this.received += chunk.length
      yield chunk
    }
  }

  async wholeBody(limit: number, tooLarge: RegistryError): Promise<Buffer> {
    if (Number(this.field('content-length') ?? 0) > limit) throw tooLarge
    this.#goAhead()
    const body = await wholeBody(this.request, this.#patience, limit, tooLarge)
    this.received += body.length
    return body
  }

  /** Who asks first whether it may send its body gets the answer only when somebody reads it. */
  #goAhead(): void {
    if (this.field('expect')?.toLowerCase() === '100-continue') this.response.writeContinue()
  }

  /** Ends the answer. */
  answer(status: number, fields: Fields, body: string | Uint8Array | null = null): void {
    const octets = typeof body === 'string' ? Buffer.from(body) : body
    // 204 has no length (RFC 9110 section 8.6).
    const length: Fields = status === 204 ? {} : { 'content-length': octets?.length ?? 0 }
    this.response.writeHead(status, { ...length, ...fields })
    if (octets === null || this.isHead) this.response.end()
    else {
      this.sent += octets.length
      this.response.end(octets)
    }
  }

  json(status: number, value: unknown, fields: Fields = {}): void {
    this.answer(status, { 'content-type': 'application/json', ...fields }, JSON.stringify(value))
  }

  /**
   * Ends the answer with `size` octets that `pour` gives, which is not called when only the head was asked for. What it throws
   * before the first of them comes out while there is no answer yet.
   */
  async stream(status: number, fields: Fields, size: number, pour: (take: Take) => Promise<void>): Promise<void> {
    const { response } = this
    const head = (): void => void response.writeHead(status, { ...fields, 'content-length': size })
    if (this.isHead) {
      head()
      response.end()
      return
    }
    using body = new OutgoingBody(response, this.#patience)
    await pour(async octets => {
      if (!response.headersSent) head()
      await body.write(octets)
      this.sent += octets.length
    })
    if (!response.headersSent) head()
    await body.end()
  }

  /**
   * For the field Location. Without a host clients take the one that they asked, which is right behind any proxy; old
   * clients that cannot do so want the whole.
   */
  location(path: string): string {
    const host = this.field('x-forwarded-host') ?? this.field('host')
    if (!this.#absolute || host === null || !/^[a-zA-Z0-9._:[\]-]{1,255}$/.test(host)) return path
    const scheme = this.field('x-forwarded-proto')?.split(',')[0]?.trim().toLowerCase() === 'https' ? 'https' : 'http'
    return `${scheme}://${host}${path}`
  }
}
