// Who works on what a row says is under way. A process that works on something holds the lock of its id for as long as it
// lives, so that others can tell what it left behind when it died from what it still works on.

import { randomUUID } from 'node:crypto'
import type { Locks } from './store.ts'

interface Identity {
  readonly id: string
  /** Aborts when others may take it for dead. */
  readonly lost: AbortSignal
}

export class OwnProcess {
  readonly #locks: Locks
  #identity: Promise<Identity> | null = null
  #works = 0
  readonly #underWay = new Set<string>()

  constructor(locks: Locks) {
    this.#locks = locks
  }

  /** Begins a work; returns its name, which no other has. */
  async begin(): Promise<string> {
    const work = `${(await this.#identify()).id}/${++this.#works}`
    this.#underWay.add(work)
    return work
  }

  end(work: string): void {
    this.#underWay.delete(work)
  }

  /** Whether that process still works on it. */
  async isUnderWay(work: string): Promise<boolean> {
    if (this.#underWay.has(work)) return true
    const [id = ''] = work.split('/')
    const own = await this.#identity?.catch(() => null)
    if (own?.id === id) return false
    await using lock = await this.#locks.tryTake(nameOf(id))
    return lock === null
  }

  async #identify(): Promise<Identity> {
    for (;;) {
      this.#identity ??= newIdentity(this.#locks)
      const identifying = this.#identity
      const identity = await identifying.catch(error => {
        this.#forget(identifying)
        throw error
      })
      if (!identity.lost.aborted) return identity
      // Not the same again: its lock may be free only when the server has noticed, a new one's is at once.
      this.#forget(identifying)
    }
  }

  #forget(identity: Promise<Identity>): void {
    if (this.#identity === identity) this.#identity = null
  }
}

async function newIdentity(locks: Locks): Promise<Identity> {
  const id = randomUUID()
  const lock = await locks.tryTake(nameOf(id))
  if (lock === null) throw new Error('another process has our id')
  // Never given back: it ends with the store.
  return { id, lost: lock.lost }
}

function nameOf(id: string): string {
  return `process:${id}`
}
