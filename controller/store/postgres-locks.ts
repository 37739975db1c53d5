// Locks that all replicas on one PostgreSQL share: advisory locks of one session, so that the server itself frees what a
// dead process held. In this process callers queue by name: only the foremost asks the server, again and again when
// another process has it. So any number of locks costs one connection; when that breaks, all of them are lost at once.
//
// A pooler between here and the server would have to keep sessions (PgBouncer: `pool_mode = session`).

import { setTimeout as delay } from 'node:timers/promises'
import type { ClientConfig } from 'pg'
import { LocalLocks } from './local-locks.ts'
import { lockKey } from './lock-key.ts'
import { LockSession } from './lock-session.ts'
import type { Lock, Locks } from './store.ts'

/** Milliseconds between two questions, at least and at most: replicas that wait together do not ask together. */
const pause = { least: 50, most: 250 }
/** After so many seconds somebody waits for what is held for long, as to lead, and asks less often. */
const longWait = 10_000
const longPause = { least: 500, most: 1_000 }

export class PostgresLocks implements Locks {
  readonly #connection: ClientConfig
  readonly #local = new LocalLocks()
  readonly #closed = new AbortController()
  /** Null when there was no need for one, or when it ended. */
  #session: Promise<LockSession> | null = null

  /** Of a session that may last as long as the process. */
  constructor(connection: ClientConfig) {
    this.#connection = connection
  }

  async tryTake(name: string): Promise<Lock | null> {
    const local = await this.#local.tryTake(name)
    if (local === null) return null
    return this.#orGiveBack(local, () => this.#tryServer(name, local, this.#closed.signal))
  }

  async take(name: string, signal: AbortSignal): Promise<Lock> {
    const either = AbortSignal.any([signal, this.#closed.signal])
    const local = await this.#local.take(name, either)
    const began = performance.now()
    const lock = await this.#orGiveBack(local, async () => {
      for (;;) {
        const taken = await this.#tryServer(name, local, either)
        if (taken !== null) return taken
        const { least, most } = performance.now() - began < longWait ? pause : longPause
        await delay(least + Math.random() * (most - least), undefined, { signal: either }).catch(() => {})
        either.throwIfAborted()
      }
    })
    if (lock === null) throw new Error('unreachable: who waits gets it')
    return lock
  }

  /** Sends away whoever waits, and ends the session of locks that are still held. */
  async close(): Promise<void> {
    this.#local.close()
    this.#closed.abort(new Error('the store is closed'))
    const session = await this.#session?.catch(() => null)
    session?.end(this.#closed.signal.reason)
  }

  async #orGiveBack(local: Lock, ask: () => Promise<Lock | null>): Promise<Lock | null> {
    let lock: Lock | null = null
    try {
      lock = await ask()
      return lock
    } finally {
      if (lock === null) await local[Symbol.asyncDispose]()
    }
  }

  /** Null when another process has it. Who gives up meanwhile leaves nothing behind. */
  async #tryServer(name: string, local: Lock, signal: AbortSignal): Promise<Lock | null> {
    const key = lockKey(name)
    for (let tries = 1; ; tries++) {
      signal.throwIfAborted()
      const session = await this.#open()
      try {
        if (!(await session.tryLock(key))) return null
      } catch (error) {
        signal.throwIfAborted()
        // It may have ended long ago, unheard of: a new one knows.
        if (tries === 2) throw error
        continue
      }
      if (!signal.aborted) return heldLock(session, key, local)
      await session.unlock(key)
      throw signal.reason
    }
  }

  #open(): Promise<LockSession> {
    if (this.#session !== null) return this.#session
    const opening = this.#connect()
    this.#session = opening
    const forget = (): void => {
      if (this.#session === opening) this.#session = null
    }
    opening.then(session => session.lost.addEventListener('abort', forget, { once: true }), forget)
    return opening
  }

  async #connect(): Promise<LockSession> {
    this.#closed.signal.throwIfAborted()
    const session = await LockSession.open(this.#connection)
    if (!session.lost.aborted) return session
    throw session.lost.reason
  }
}

function heldLock(session: LockSession, key: string, local: Lock): Lock {
  let end: Promise<void> | null = null
  const giveBack = (): void => {
    // What is lost may be taken by anybody: also by others here.
    end ??= Promise.resolve(local[Symbol.asyncDispose]())
  }
  session.lost.addEventListener('abort', giveBack, { once: true })
  if (session.lost.aborted) giveBack()
  return {
    lost: session.lost,
    [Symbol.asyncDispose]() {
      end ??= free()
      return end
    },
  }

  async function free(): Promise<void> {
    session.lost.removeEventListener('abort', giveBack)
    await session.unlock(key)
    await local[Symbol.asyncDispose]()
  }
}
