// Uploads whose store fails them. What the specification says of uploads is in test/support/registry-suite.ts.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openStore } from '#store/open-store.ts'
import { type ObjectStore, StoreError } from '#store/store.ts'
import { digestOf } from '../content/digest.ts'
import { parseRepositoryName } from '../content/names.ts'
import { Blobs } from './blobs.ts'
import { Locks } from './locks.ts'
import { Uploads } from './uploads.ts'

const shop = parseRepositoryName('shop')!
const octets = Buffer.alloc(1000, 1)

/** Uploads on a folder, some of whose methods are others. */
async function uploadsWith(
  faults: Partial<ObjectStore>,
): Promise<AsyncDisposable & { uploads: Uploads; store: ObjectStore }> {
  const directory = await mkdtemp(join(tmpdir(), 'registry-uploads-'))
  const folder = await openStore({ kind: 'folder', directory })
  const store = new Proxy(folder, {
    get(target, name: keyof ObjectStore) {
      const value = faults[name] ?? target[name]
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const blobs = new Blobs({ store, locks: new Locks(), freshness: { grace: 60_000, now: Date.now } })
  return {
    uploads: new Uploads({ store, blobs, most: 10, idle: 60_000, now: Date.now }),
    store: folder,
    async [Symbol.asyncDispose]() {
      await folder.close()
      await rm(directory, { recursive: true })
    },
  }
}

const full = (): never => {
  throw new StoreError('full', 'no room')
}

const failing: [name: string, faults: Partial<ObjectStore>][] = [
  ['no upload can be begun', { startUpload: async () => full() }],
  ['it is full before anything is taken', { appendUpload: async () => full() }],
  [
    'it is full after a piece',
    {
      appendUpload: async (_id, _offset, source) => {
        for await (const _ of source) full()
        return full()
      },
    },
  ],
]
// A body has a timer that watches its sender: one that is not let go of watches for ever.
for (const [name, faults] of failing)
  test(`a store that fails lets go of the body: ${name}`, async () => {
    await using made = await uploadsWith(faults)
    const { uploads } = made
    const { id } = uploads.begin(shop, 'sha256')
    let released = false
    async function* body(): AsyncGenerator<Buffer> {
      try {
        for (;;) yield octets
      } finally {
        released = true
      }
    }
    await expect(uploads.append(shop, id, null, body())).rejects.toThrow('no room')
    expect(released).toBe(true)
  })

async function* nothing(): AsyncGenerator<Buffer> {}
async function* some(): AsyncGenerator<Buffer> {
  yield octets
}

test('an upload that the store has lost ends, and its client may begin anew', async () => {
  await using made = await uploadsWith({})
  const { uploads, store } = made
  const { id } = uploads.begin(shop, 'sha256')
  await uploads.append(shop, id, null, some())
  for await (const upload of store.uploads()) await store.abortUpload(upload.id)
  const finished = uploads.finish(shop, id, digestOf(octets), null, nothing())
  await expect(finished).rejects.toMatchObject({ code: 'BLOB_UPLOAD_UNKNOWN' })
  expect(uploads.count).toBe(0)
  expect(await Array.fromAsync(store.list(''))).toEqual([])
})
