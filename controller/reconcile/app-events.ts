// Events of apps as server-sent events (HTML Living Standard, section 9.2): the latest of each app are kept, so that who
// was cut off goes on where it was. They are of this process: another replica has its own.

import type { AppId } from '../domain/app.ts'

/** Events of one app. */
const mostKept = 200
/** Apps; beyond it the one that was silent for longest is forgotten. */
const mostApps = 2_000
const mostFollowers = 50

interface Kept {
  readonly sequence: number
  /** As it goes over the wire. */
  readonly text: string
}

interface Follower {
  wake: () => void
  isDismissed: boolean
}

interface Stream {
  readonly kept: Kept[]
  readonly followers: Set<Follower>
}

export class AppEvents {
  readonly #streams = new Map<AppId, Stream>()
  readonly #dismissed = new Map<AppId, Set<() => void>>()
  /** Tells events of this process from those of one before it. */
  readonly #epoch: string
  #sequence = 0

  constructor(epoch: string) {
    this.#epoch = epoch
  }

  add(app: AppId, event: string, data: Readonly<Record<string, unknown>>): void {
    const stream = this.#stream(app)
    const sequence = ++this.#sequence
    const time = new Date().toISOString()
    const text = `id: ${this.#epoch}-${sequence}\nevent: ${event}\ndata: ${JSON.stringify({ time, ...data })}\n\n`
    stream.kept.push({ sequence, text })
    if (stream.kept.length > mostKept) stream.kept.shift()
    for (const follower of stream.followers) follower.wake()
  }

  /** False when too many follow this app already. */
  mayFollow(app: AppId): boolean {
    return (this.#streams.get(app)?.followers.size ?? 0) < mostFollowers
  }

  /**
   * Events from now on, until the signal aborts or followers are dismissed; with the id of an event those after it as
   * well, as far as they are kept. A follower that is too slow misses what is no longer kept.
   */
  async *follow(app: AppId, lastEventId: string | null, signal: AbortSignal): AsyncGenerator<string, void> {
    const stream = this.#stream(app)
    let seen = this.#sequenceOf(lastEventId)
    let { promise, resolve } = Promise.withResolvers<void>()
    const follower: Follower = { wake: () => resolve(), isDismissed: false }
    const wake = (): void => follower.wake()
    const isOver = (): boolean => signal.aborted || follower.isDismissed
    stream.followers.add(follower)
    signal.addEventListener('abort', wake)
    try {
      while (!isOver()) {
        const next = stream.kept.filter(({ sequence }) => sequence > seen)
        for (const { sequence, text } of next) {
          seen = sequence
          yield text
        }
        if (stream.kept.some(({ sequence }) => sequence > seen) || isOver()) continue
        await promise
        ;({ promise, resolve } = Promise.withResolvers<void>())
      }
    } finally {
      stream.followers.delete(follower)
      signal.removeEventListener('abort', wake)
    }
  }

  /** Streams end: who follows comes again, and is asked once more whether he may. */
  dismiss(app: AppId): void {
    for (const listener of [...(this.#dismissed.get(app) ?? [])]) listener()
    for (const follower of this.#streams.get(app)?.followers ?? []) {
      follower.isDismissed = true
      follower.wake()
    }
  }

  /** `listener` is called whenever followers of the app are dismissed. Returns the way to stop. */
  onDismissed(app: AppId, listener: () => void): () => void {
    const listeners = this.#dismissed.get(app) ?? new Set()
    this.#dismissed.set(app, listeners.add(listener))
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0 && this.#dismissed.get(app) === listeners) this.#dismissed.delete(app)
    }
  }

  /** The app is gone. The next one of that name may be somebody else's. */
  forget(app: AppId): void {
    this.dismiss(app)
    this.#streams.delete(app)
  }

  /** An id of another process says nothing: everything that is kept may be new. */
  #sequenceOf(lastEventId: string | null): number {
    if (lastEventId === null) return this.#sequence
    const at = lastEventId.lastIndexOf('-')
    if (lastEventId.slice(0, at) !== this.#epoch) return 0
    const sequence = Number(lastEventId.slice(at + 1))
    return Number.isSafeInteger(sequence) ? sequence : 0
  }

  #stream(app: AppId): Stream {
    const known = this.#streams.get(app)
    if (known !== undefined) {
      this.#streams.delete(app)
      this.#streams.set(app, known)
      return known
    }
    const stream: Stream = { kept: [], followers: new Set() }
    this.#streams.set(app, stream)
    if (this.#streams.size > mostApps)
      for (const [id, { followers }] of this.#streams)
        if (followers.size === 0) {
          this.#streams.delete(id)
          break
        }
    return stream
  }
}
