// One watch, or listener, for each Secret that is wanted now. Only so many begin at a time: thousands of Secrets at a start would
// otherwise be thousands of requests at once.

import { setTimeout as delay } from 'node:timers/promises'
import type { Secret } from '#kube/types.ts'
import type { Change } from '#kube/watch.ts'
import type { SecretRef } from './service.ts'
import type { Source } from './source.ts'

/** First lists under way at once. */
const maxBeginning = 16
/** A first list that takes longer no longer keeps others from beginning, milliseconds. */
const slow = 5000

export interface SecretWatchesOptions {
  readonly source: Pick<Source, 'secret' | 'listenSecret' | 'states' | 'problems'>
  readonly heard: (namespace: string, name: string, change: Change<Secret>) => void
  readonly failed: (error: unknown) => void
}

interface SecretWatch {
  readonly ref: SecretRef
  /** Null: it waits for its turn. */
  stop: (() => void) | null
  readonly wantedSince: number
  /** Null: it waits for its turn. */
  begunAt: number | null
  /** It has been heard, or refused: there is nothing to wait for. */
  settled: boolean
  /** It counts among those that begin. */
  beginning: boolean
}

export class SecretWatches {
  readonly #options: SecretWatchesOptions
  readonly #watches = new Map<string, SecretWatch>()
  readonly #running = new Set<Promise<void>>()
  /** Those that wait for their turn, the first first. */
  readonly #waiting = new Set<SecretWatch>()
  #wanted: ReadonlyMap<string, SecretRef> | null = null
  #beginning = 0

  constructor(options: SecretWatchesOptions) {
    this.#options = options
  }

  /** Begins and ends watches so that there is one for each of `wanted`, of whatever keys. */
  want(wanted: ReadonlyMap<string, SecretRef>): void {
    if (wanted === this.#wanted) return
    this.#wanted = wanted
    for (const [key, watch] of this.#watches)
      if (!wanted.has(key)) {
        watch.stop?.()
        this.#watches.delete(key)
        this.#waiting.delete(watch)
        this.#begun(watch)
      }
    for (const [key, ref] of wanted)
      if (!this.#watches.has(key)) {
        const watch: SecretWatch = {
          ref,
          stop: null,
          wantedSince: performance.now(),
          begunAt: null,
          settled: false,
          beginning: false,
        }
        this.#watches.set(key, watch)
        // Who is told at once keeps nobody from beginning.
        if (!this.#listen(watch)) this.#waiting.add(watch)
      }
    this.#beginSome()
  }

  /** The keys of those that have said nothing yet. */
  unsettled(): readonly string[] {
    return this.unsettledSince(0)
  }

  /** The same, of those wanted since `time` (of `performance.now()`). */
  unsettledSince(time: number): readonly string[] {
    const keys: string[] = []
    for (const [key, { settled, wantedSince }] of this.#watches) if (!settled && wantedSince >= time) keys.push(key)
    return keys
  }

  /** Takes note of what no event tells: refusals, failures and slowness. */
  look(): void {
    if (this.unsettled().length === 0) return
    const refused = new Set<string>()
    for (const { code, object } of this.#options.source.problems())
      if (code === 'forbidden' && object.kind === 'Secret') refused.add(`${object.namespace}/${object.name}`)
    const failing = new Set<string>()
    for (const { resource, lastError } of this.#options.source.states()) if (lastError !== null) failing.add(resource)
    const now = performance.now()
    for (const watch of this.#watches.values()) {
      if (watch.settled) continue
      const path = `${watch.ref.namespace}/${watch.ref.name}`
      if (refused.has(path)) watch.settled = true
      if (watch.settled || failing.has(`secret ${path}`) || now - (watch.begunAt ?? now) > slow) this.#begun(watch)
    }
    this.#beginSome()
  }

  async stop(): Promise<void> {
    for (const { stop } of this.#watches.values()) stop?.()
    this.#watches.clear()
    this.#waiting.clear()
    await Promise.all(this.#running)
  }

  #beginSome(): void {
    for (const watch of this.#waiting) {
      if (this.#beginning >= maxBeginning) return
      this.#waiting.delete(watch)
      watch.begunAt = performance.now()
      watch.beginning = true
      this.#beginning++
      const stop = new AbortController()
      watch.stop = () => stop.abort()
      const running = this.#follow(watch, stop.signal).finally(() => this.#running.delete(running))
      this.#running.add(running)
    }
  }

  #begun(watch: SecretWatch): void {
    if (watch.beginning) this.#beginning--
    watch.beginning = false
  }

  /** False: its source takes a watch for it. */
  #listen(watch: SecretWatch): boolean {
    const { namespace, name } = watch.ref
    watch.stop = this.#options.source.listenSecret(namespace, name, change => {
      watch.settled = true
      this.#options.heard(namespace, name, change)
    })
    if (watch.stop === null) return false
    watch.begunAt = watch.wantedSince
    return true
  }

  async #follow(watch: SecretWatch, signal: AbortSignal): Promise<void> {
    const { namespace, name } = watch.ref
    while (!signal.aborted) {
      try {
        for await (const change of this.#options.source.secret(namespace, name).changes(signal)) {
          if (signal.aborted) return
          if (!watch.settled) {
            watch.settled = true
            this.#begun(watch)
            this.#beginSome()
          }
          this.#options.heard(namespace, name, change)
        }
      } catch (error) {
        this.#options.failed(error)
      }
      await delay(1000, undefined, { signal }).catch(() => {})
    }
  }
}
