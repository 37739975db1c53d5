// A plain client of the API server, so that tests of our own client do not prepare their objects with what they test.

import { Agent, type Dispatcher, request } from 'undici'

/** The API server answered with something other than success. */
export class ApiError extends Error {
  readonly status: number
  /** The `reason` of the Status object: `NotFound`, `Forbidden`, `Conflict`; empty if the answer was no Status. */
  readonly reason: string

  constructor(status: number, reason: string, message: string) {
    super(`${status} ${reason}: ${message}`)
    this.name = 'ApiError'
    this.status = status
    this.reason = reason
  }
}

/** One line of a watch. */
export interface WatchEvent<T = unknown> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  readonly object: T
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

export class ApiClient {
  readonly #url: string
  readonly #token: string
  readonly #agent: Agent

  constructor(url: string, ca: string, token: string) {
    this.#url = url
    this.#token = token
    this.#agent = new Agent({ connections: 32, connect: { ca } })
  }

  /**
   * Sends one request and gives the parsed answer, or its text where that is no JSON. A `body` that is a string goes as
   * it is, anything else as JSON. Rejects with an ApiError unless the answer is a success.
   */
  async request<T = unknown>(
    method: Method,
    path: string,
    body?: unknown,
    contentType = 'application/json',
  ): Promise<T> {
    const answer = await this.#send(method, path, body, contentType)
    const text = await answer.body.text()
    return (isJson(answer) ? JSON.parse(text) : text) as T
  }

  /** The events of a watch, until the server ends it or the caller breaks off. `path` must have `watch=1`. */
  async *watch<T = unknown>(path: string): AsyncGenerator<WatchEvent<T>> {
    const answer = await this.#send('GET', path)
    const decoder = new TextDecoder()
    let rest = ''
    for await (const chunk of answer.body) {
      const lines = (rest + decoder.decode(chunk as Buffer, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) yield JSON.parse(line) as WatchEvent<T>
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy()
  }

  async #send(
    method: Method,
    path: string,
    body?: unknown,
    contentType = 'application/json',
  ): Promise<Dispatcher.ResponseData> {
    const payload = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
    const headers = { authorization: `Bearer ${this.#token}`, accept: 'application/json' }
    const answer = await request(new URL(path, this.#url), {
      dispatcher: this.#agent,
      method,
      headers: payload === undefined ? headers : { ...headers, 'content-type': contentType },
      body: payload,
    })
    if (answer.statusCode >= 200 && answer.statusCode < 300) return answer
    const text = await answer.body.text()
    const status = isJson(answer) ? (JSON.parse(text) as { reason?: string; message?: string }) : { message: text }
    throw new ApiError(answer.statusCode, status.reason ?? '', `${status.message ?? text} (${method} ${path})`)
  }
}

function isJson(answer: Dispatcher.ResponseData): boolean {
  return String(answer.headers['content-type'] ?? '').startsWith('application/json')
}
