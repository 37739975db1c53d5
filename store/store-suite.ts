// What every store promises, for each driver's own tests to run. Places are empty when a test begins; `heldInBuffers` is the
// one of the test support.

import { afterEach, beforeEach, expect, test } from 'vitest'
import type { ObjectStore } from './store.ts'
import { keySuite } from './suite/keys.ts'
import { listSuite } from './suite/lists.ts'
import { objectSuite } from './suite/objects.ts'
import type { StoreStage } from './suite/stage.ts'
import { uploadSuite } from './suite/uploads.ts'

/** Where stores are kept. */
export interface Place extends AsyncDisposable {
  /** Opens it, again too once it was closed. */
  open(): Promise<ObjectStore>
  /** How many things are kept beside objects and uploads: what was left over. */
  leftOvers(): Promise<number>
}

export function storeSuite(makePlace: () => Promise<Place>, heldInBuffers: () => number): void {
  let place: Place
  let store: ObjectStore
  beforeEach(async () => {
    place = await makePlace()
    store = await place.open()
  })
  afterEach(async () => {
    await store.close()
    expect(await place.leftOvers()).toBe(0)
    await place[Symbol.asyncDispose]()
  })

  const stage: StoreStage = {
    get store() {
      return store
    },
    async reopen() {
      await store.close()
      store = await place.open()
    },
    heldInBuffers,
  }

  test('a store can be checked', async () => {
    await store.check(new AbortController().signal)
    const why = new Error('enough')
    await expect(store.check(AbortSignal.abort(why))).rejects.toBe(why)
  })

  test('a closed store says so', async () => {
    await store.close()
    const closed = { name: 'StoreError', kind: 'unreachable', message: 'the store is closed' }
    await expect(store.stat('a')).rejects.toMatchObject(closed)
    await expect(store.write('a', Buffer.from('a'))).rejects.toMatchObject(closed)
    await expect(store.startUpload()).rejects.toMatchObject(closed)
    await store.close()
  })

  objectSuite(stage)
  keySuite(stage)
  listSuite(stage)
  uploadSuite(stage)
}
