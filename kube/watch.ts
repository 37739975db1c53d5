// The one shape in which objects arrive, whether the API server or a directory of manifests tells of them.

/** A fact about a collection. `reset` carries all of it; `delete` carries the object as last seen. */
export type Change<T> =
  | { readonly kind: 'reset'; readonly objects: readonly T[] }
  | { readonly kind: 'upsert'; readonly object: T }
  | { readonly kind: 'delete'; readonly object: T }

/** A collection that can be followed. Listing, resuming, backoff and reconnecting stay inside. */
export interface Watcher<T> {
  /** Begins with a `reset`; ends only when `signal` aborts. Call it once for each reader. */
  changes(signal: AbortSignal): AsyncIterable<Change<T>>
}

/** How one watch fares, for metrics and the admin port. */
export interface WatchState {
  /** `services`, `endpointslices`, `deployment`, `secret NAMESPACE/NAME`. */
  readonly resource: string
  readonly connected: boolean
  readonly synced: boolean
  readonly events: number
  readonly relists: number
  readonly reconnects: number
  /** Why it is not connected; null while it is. */
  readonly lastError: string | null
}
