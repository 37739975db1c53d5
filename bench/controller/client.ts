// A user of the API: one connection for what comes one after the other, as many as it takes for what does not.

import { Agent, type Dispatcher, request } from 'undici'

export interface Reply {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: what an endpoint answers is its own
  readonly body: any
}

export class Client implements AsyncDisposable {
  readonly #origin: string
  readonly #agent: Dispatcher
  #token: string | null = null

  constructor(port: number, connections = 1) {
    this.#origin = `http://127.0.0.1:${port}`
    this.#agent = new Agent({ connections })
  }

  /** Registers first. */
  async logIn(username: string): Promise<void> {
    const password = `password of ${username}`
    await this.call('POST', '/v2/auth/register/', { username, password, email: '' })
    this.#token = (await this.expect(200, 'POST', '/v2/auth/login/', { username, password })).token
  }

  as(other: Client): this {
    this.#token = other.#token
    return this
  }

  async call(method: Dispatcher.HttpMethod, path: string, body?: unknown): Promise<Reply> {
    const { statusCode, body: answer } = await request(`${this.#origin}${path}`, {
      dispatcher: this.#agent,
      method,
      headers: {
        'content-type': 'application/json',
        ...(this.#token === null ? {} : { authorization: `token ${this.#token}` }),
      },
      body: body === undefined ? null : JSON.stringify(body),
      headersTimeout: 120_000,
    })
    const text = await answer.text()
    return { status: statusCode, body: text === '' ? null : JSON.parse(text) }
  }

  /** The body. Throws when the status is another one. */
  async expect(status: number, method: Dispatcher.HttpMethod, path: string, body?: unknown): Promise<Reply['body']> {
    const reply = await this.call(method, path, body)
    if (reply.status !== status)
      throw new Error(`${method} ${path}: ${reply.status} ${JSON.stringify(reply.body)?.slice(0, 300)}`)
    return reply.body
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.close()
  }
}
