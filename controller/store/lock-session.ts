// One session of PostgreSQL that has locks: the server frees all of them when it ends, so whoever dies leaves none. One
// question at a time, as the protocol has it.
//
// An advisory lock may be taken twice by one session; whoever uses this keeps its callers apart.

import { Client, type ClientConfig, type QueryConfig } from 'pg'
import { Turnstile } from '#kit/turnstile.ts'

/** Milliseconds for an answer that takes no time: without one the server is out of reach. */
const answerTimeout = 20_000

export class LockSession {
  readonly #client: Client
  readonly #turn = new Turnstile(1)
  readonly #lost = new AbortController()

  private constructor(client: Client) {
    this.#client = client
    client.on('error', this.#onEnd)
    client.on('end', this.#onEnd)
  }

  static async open(config: ClientConfig): Promise<LockSession> {
    const client = new Client(config)
    const session = new LockSession(client)
    await client.connect()
    return session
  }

  /** Aborts when the session has ended, and with it all that it had. */
  get lost(): AbortSignal {
    return this.#lost.signal
  }

  /** False when another session has it. A question that fails ends the session. */
  tryLock(key: string): Promise<boolean> {
    return this.#ask('select pg_try_advisory_lock($1) as yes', key)
  }

  /** Never rejects: when it fails, the session's end frees it. */
  async unlock(key: string): Promise<void> {
    const freed = await this.#ask('select pg_advisory_unlock($1) as yes', key).catch(() => false)
    if (!freed) this.end(new Error('the session did not have the lock that it was to free'))
  }

  end(reason: Error): void {
    if (this.#lost.signal.aborted) return
    this.#lost.abort(reason)
    // Destroyed when the server does not answer any more: nobody waits for the farewell.
    this.#client.end().catch(() => {})
  }

  readonly #onEnd = (cause?: unknown): void => {
    this.end(new Error('the database ended the session that held the lock', { cause }))
  }

  async #ask(text: string, key: string): Promise<boolean> {
    await this.#turn.enter(this.lost)
    try {
      this.lost.throwIfAborted()
      // `query_timeout` is missing in the type.
      const query = { text, values: [key], query_timeout: answerTimeout } as QueryConfig
      const { rows } = await this.#client.query(query)
      return rows[0].yes === true
    } catch (error) {
      // Whether the server did it is not known.
      this.end(new Error('the database did not answer for a lock', { cause: error }))
      throw error
    } finally {
      this.#turn.leave()
    }
  }
}
