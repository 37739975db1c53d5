// A client of server-sent events that reads one at a time.

import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'

export interface StreamEvent {
  readonly id: string
  readonly event: string
  readonly data: Readonly<Record<string, unknown>>
}

export class EventStream implements AsyncDisposable {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly #response: IncomingMessage
  readonly #events: AsyncIterator<StreamEvent>

  private constructor(response: IncomingMessage) {
    this.#response = response
    this.status = response.statusCode ?? 0
    this.headers = response.headers
    this.#events = parse(response)
  }

  static async open(url: string, token: string, headers: Readonly<Record<string, string>> = {}): Promise<EventStream> {
    const sent = request(url, { agent: false, headers: { authorization: `token ${token}`, ...headers } })
    sent.end()
    const [response] = await once(sent, 'response')
    return new EventStream(response)
  }

  /** Null: the stream has ended. */
  async next(): Promise<StreamEvent | null> {
    const { done, value } = await this.#events.next()
    return done ? null : value
  }

  /** Those up to the first that fits, which is the last of them. */
  async until(fits: (event: StreamEvent) => boolean): Promise<readonly StreamEvent[]> {
    const seen: StreamEvent[] = []
    for (;;) {
      const event = await this.next()
      if (event === null) throw new Error(`the stream ended after ${JSON.stringify(seen)}`)
      seen.push(event)
      if (fits(event)) return seen
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#response.destroy()
  }
}

async function* parse(response: IncomingMessage): AsyncGenerator<StreamEvent, void> {
  let held = ''
  for await (const chunk of response.setEncoding('utf8')) {
    held += chunk
    for (let end = held.indexOf('\n\n'); end >= 0; end = held.indexOf('\n\n')) {
      const lines = held.slice(0, end).split('\n')
      held = held.slice(end + 2)
      const field = (name: string) => lines.find(line => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? ''
      // Comments say nothing.
      if (field('event') !== '') yield { id: field('id'), event: field('event'), data: JSON.parse(field('data')) }
    }
  }
}
