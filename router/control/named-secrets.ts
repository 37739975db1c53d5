// Listeners of single Secrets, for a source that knows all there are: it keeps them, and each listener hears of its own.
// There may be tens of thousands, so that a listener is a function and nothing more.

import { isDeepStrictEqual } from 'node:util'
import type { Secret } from '#kube/types.ts'
import type { Change, Watcher } from '#kube/watch.ts'

/** One Secret as it is now, or that it is none: always a `reset`. */
export type HearSecret = (change: Change<Secret>) => void

export class NamedSecrets {
  /** By `NAMESPACE/NAME`; null: nobody has told yet. */
  #all: Map<string, Secret> | null = null
  readonly #listeners = new Map<string, HearSecret | Set<HearSecret>>()
  #events = 0

  /** Whether anything has been told. */
  get synced(): boolean {
    return this.#all !== null
  }

  /** Changes told so far. */
  get events(): number {
    return this.#events
  }

  /** These are all that there are; of two with one name the first counts. */
  replace(secrets: readonly Secret[]): void {
    const last = this.#all
    const all = new Map<string, Secret>()
    for (const secret of secrets) if (!all.has(keyOf(secret))) all.set(keyOf(secret), secret)
    this.#all = all
    for (const key of this.#listeners.keys()) {
      const secret = all.get(key)
      const before = last?.get(key)
      if (last !== null && (secret === before || isDeepStrictEqual(secret, before))) continue
      this.#tell(key, secret)
    }
  }

  /** One of them came, changed or went. */
  apply(change: Change<Secret>): void {
    if (change.kind === 'reset') {
      this.replace(change.objects)
      return
    }
    const key = keyOf(change.object)
    if (change.kind === 'upsert') this.#all?.set(key, change.object)
    else this.#all?.delete(key)
    if (this.#all !== null) this.#tell(key, this.#all.get(key))
  }

  /** Hears of one by name, at once if anything has been told; returns the way to stop. */
  listen(namespace: string, name: string, hear: HearSecret): () => void {
    const key = `${namespace}/${name}`
    const others = this.#listeners.get(key)
    if (others === undefined) this.#listeners.set(key, hear)
    else if (others instanceof Set) others.add(hear)
    else this.#listeners.set(key, new Set([others, hear]))
    if (this.#all !== null) hear(changeTo(this.#all.get(key)))
    return () => this.#forget(key, hear)
  }

  /** The same as a watch. */
  watcher(namespace: string, name: string): Watcher<Secret> {
    return { changes: signal => this.#follow(namespace, name, signal) }
  }

  async *#follow(
    namespace: string,
    name: string,
    signal: AbortSignal,
  ): AsyncGenerator<Change<Secret>, void, undefined> {
    let news: Change<Secret> | null = null
    let wake = (): void => {}
    const stop = this.listen(namespace, name, change => {
      news = change
      wake()
    })
    const aborted = (): void => wake()
    signal.addEventListener('abort', aborted)
    try {
      while (!signal.aborted) {
        const change: Change<Secret> | null = news
        news = null
        if (change !== null) yield change
        else {
          const { promise, resolve } = Promise.withResolvers<void>()
          wake = resolve
          await promise
        }
      }
    } finally {
      stop()
      signal.removeEventListener('abort', aborted)
    }
  }

  #forget(key: string, hear: HearSecret): void {
    const listeners = this.#listeners.get(key)
    if (listeners === hear) this.#listeners.delete(key)
    else if (listeners instanceof Set) {
      listeners.delete(hear)
      if (listeners.size === 0) this.#listeners.delete(key)
    }
  }

  #tell(key: string, secret: Secret | undefined): void {
    const listeners = this.#listeners.get(key)
    if (listeners === undefined) return
    this.#events++
    const change = changeTo(secret)
    if (listeners instanceof Set) for (const hear of listeners) hear(change)
    else listeners(change)
  }
}

function changeTo(secret: Secret | undefined): Change<Secret> {
  return { kind: 'reset', objects: secret === undefined ? [] : [secret] }
}

function keyOf({ metadata }: Secret): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`
}
