// A store under test, opened anew for each.

import type { ObjectStore } from '../store.ts'

export interface StoreStage {
  readonly store: ObjectStore
  /** Closes it and opens it again. */
  reopen(): Promise<void>
  /** What buffers are held, in octets. */
  heldInBuffers(): number
}
