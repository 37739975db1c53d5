// A collection as it is now, kept up by a watch; and waiting until it is as it should be, without ever asking again.

import type { Clock } from '#kit/clock.ts'
import type { KubeClient } from '#kube/client.ts'
import { ListWatch } from '#kube/list-watch.ts'
import type { KubeObject } from '#kube/types.ts'
import { ClusterError } from '../cluster.ts'
import { resourceOf } from './resources.ts'

export interface ViewOptions {
  readonly client: KubeClient
  readonly kind: string
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
}

export class View<T extends KubeObject> implements AsyncDisposable {
  /** By name. */
  readonly objects = new Map<string, T>()
  /** Null until the first list is in. */
  first: readonly T[] | null = null
  onChange: () => void = () => {}
  readonly #watch: ListWatch<T>
  readonly #stop = new AbortController()
  readonly #ended: Promise<void>

  constructor({ kind, ...options }: ViewOptions) {
    this.#watch = new ListWatch<T>({
      ...options,
      ...resourceOf(kind),
      transform: withoutManagers,
      onState: () => this.onChange(),
    })
    this.#ended = this.#follow()
  }

  /** Why it sees nothing, when it may not. */
  get refusal(): string | null {
    const { forbidden, lastError } = this.#watch.state
    return forbidden ? lastError : null
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#ended
  }

  async #follow(): Promise<void> {
    for await (const change of this.#watch.changes(this.#stop.signal)) {
      switch (change.kind) {
        case 'reset':
          this.objects.clear()
          for (const object of change.objects) this.objects.set(object.metadata.name, object)
          this.first ??= change.objects
          break
        case 'upsert':
          this.objects.set(change.object.metadata.name, change.object)
          break
        case 'delete':
          this.objects.delete(change.object.metadata.name)
      }
      this.onChange()
    }
  }
}

export type Verdict<T> =
  | { readonly kind: 'done'; readonly value: T }
  /** Ask again when something changed, or at this time of the clock. */
  | { readonly kind: 'wait'; readonly until: number }

export interface SettleOptions {
  readonly clock: Clock
  readonly signal: AbortSignal
}

/**
 * Asks `judge` once all views have their first list, and again whenever something changed or the time came that it
 * named. Throws the signal's reason when that aborts, and ClusterError `unreachable` when a view is refused.
 */
export async function settle<T>(
  views: readonly View<KubeObject>[],
  { clock, signal }: SettleOptions,
  judge: (now: number) => Verdict<T> | Promise<Verdict<T>>,
): Promise<T> {
  let changed = Promise.withResolvers<void>()
  for (const view of views) view.onChange = () => changed.resolve()
  for (;;) {
    signal.throwIfAborted()
    changed = Promise.withResolvers<void>()
    for (const { refusal } of views) if (refusal !== null) throw new ClusterError('unreachable', refusal)
    const isComplete = views.every(view => view.first !== null)
    const verdict: Verdict<T> = isComplete ? await judge(clock.now()) : { kind: 'wait', until: clock.now() + 60_000 }
    if (verdict.kind === 'done') return verdict.value
    const over = new AbortController()
    const onAbort = (): void => changed.resolve()
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
    await Promise.race([changed.promise, clock.delay(Math.max(0, verdict.until - clock.now()), over.signal)])
    signal.removeEventListener('abort', onAbort)
    over.abort()
  }
}

/** Who set which field is half of an object, and nothing that is waited for. */
function withoutManagers<T extends KubeObject>(object: T): T {
  const { managedFields: _, ...metadata } = object.metadata
  return { ...object, metadata }
}
