// Readers of single Secrets, for a source that knows all there are: it keeps them, and each reader hears of its own.

import type { Secret } from '#kube/types.ts'
import type { Change, Watcher } from '#kube/watch.ts'
import { Collection } from './collection.ts'

interface Followed {
  readers: number
  readonly collection: Collection<Secret>
}

export class NamedSecrets {
  /** By `NAMESPACE/NAME`; null: nobody has told yet. */
  #all: Map<string, Secret> | null = null
  readonly #followed = new Map<string, Followed>()

  /** These are all that there are. */
  replace(secrets: readonly Secret[]): void {
    const all = new Map<string, Secret>()
    for (const secret of secrets) if (!all.has(keyOf(secret))) all.set(keyOf(secret), secret)
    this.#all = all
    for (const key of this.#followed.keys()) this.#tell(key)
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
    this.#tell(key)
  }

  /** One by name, once `replace` has been called: one object or none. */
  watcher(namespace: string, name: string): Watcher<Secret> {
    return { changes: signal => this.#follow(`${namespace}/${name}`, signal) }
  }

  /** Those with a reader. */
  followed(): Iterable<readonly [key: string, collection: Collection<Secret>]> {
    return this.#followed.entries().map(([key, { collection }]) => [key, collection] as const)
  }

  async *#follow(key: string, signal: AbortSignal): AsyncGenerator<Change<Secret>, void, undefined> {
    let followed = this.#followed.get(key)
    if (followed === undefined) {
      followed = { readers: 0, collection: new Collection<Secret>() }
      this.#followed.set(key, followed)
      this.#tell(key)
    }
    followed.readers++
    try {
      yield* followed.collection.changes(signal)
    } finally {
      if (--followed.readers === 0) this.#followed.delete(key)
    }
  }

  #tell(key: string): void {
    if (this.#all === null) return
    const secret = this.#all.get(key)
    this.#followed.get(key)?.collection.replace(secret === undefined ? [] : [secret])
  }
}

function keyOf({ metadata }: Secret): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`
}
