// The store's suite against a server of the S3 API that somebody else wrote, and what is true of such a server only.

import { randomBytes } from 'node:crypto'
import { DeleteObjectCommand, ListMultipartUploadsCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openStore } from '#store/open-store.ts'
import { defaultLimits, type Limits } from '#store/s3/making.ts'
import { openS3 } from '#store/s3/s3-store.ts'
import type { S3Target } from '#store/s3/target.ts'
import type { ObjectStore } from '#store/store.ts'
import { storeSuite } from '#store/store-suite.ts'
import { bytes, chunks, keys, text } from '#store/suite/octets.ts'
import { heldInBuffers } from '#test/support/memory.ts'
import { S3Server } from './versitygw.ts'

const MiB = 1024 * 1024

describe('S3', () => {
  let server: S3Server
  beforeAll(async () => {
    server = await S3Server.start()
  })
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]()
  })

  let buckets = 0
  const newTarget = (prefix = ''): S3Target => server.target(`bucket-${++buckets}`, prefix)

  function rawClient({ endpoint, region, credentials }: S3Target): S3Client {
    return new S3Client({ endpoint: endpoint!, region, credentials: credentials!, forcePathStyle: true })
  }

  /** Multipart uploads that the server has open. */
  async function openMultiparts(target: S3Target): Promise<number> {
    const client = rawClient(target)
    const { Uploads } = await client.send(new ListMultipartUploadsCommand({ Bucket: target.bucket }))
    client.destroy()
    return Uploads?.length ?? 0
  }

  for (const prefix of ['', 'deis/registry'])
    describe(prefix === '' ? 'a whole bucket' : 'a part of a bucket', () => {
      storeSuite(async () => {
        const target = newTarget(prefix)
        return {
          open: () => openStore(target),
          leftOvers: () => openMultiparts(target),
          async [Symbol.asyncDispose]() {},
        }
      }, heldInBuffers)
    })

  async function withStore(target: S3Target, work: (store: ObjectStore) => Promise<void>, limits?: Partial<Limits>) {
    const store = await openS3(target, { ...defaultLimits, ...limits })
    try {
      await work(store)
    } finally {
      await store.close()
    }
  }

  test('readers that take nothing keep nobody else from the store', async () => {
    await withStore(newTarget(), async store => {
      await store.write('large', Buffer.alloc(8 * MiB))
      const slow = []
      // One after another, as connecting has a limit in time.
      for (let count = 0; count < 300; count++) slow.push(await store.read('large'))
      await store.check(AbortSignal.timeout(10_000))
      expect((await store.stat('large'))?.size).toBe(8 * MiB)
      for (const reader of slow) reader.destroy()
    })
  })

  test('stores side by side in a bucket', async () => {
    const bucket = newTarget()
    const other = { ...bucket, prefix: '/other/' }
    await withStore(bucket, mine =>
      withStore(other, async theirs => {
        await theirs.write('a', Buffer.from('theirs'))
        await theirs.startUpload()
        expect(await keys(mine.list(''))).toEqual(['other/a'])
        expect(await Array.fromAsync(mine.uploads())).toEqual([])
        expect(await keys(theirs.list(''))).toEqual(['a'])
      }),
    )
  })

  test('processes that start together make one bucket', async () => {
    const target = newTarget()
    const stores = await Promise.all(Array.from({ length: 6 }, () => openStore(target)))
    for (const store of stores) await store.close()
  })

  test('large objects are copied in pieces', () =>
    withStore(
      newTarget(),
      async store => {
        const body = randomBytes(17 * MiB + 5)
        await store.write('a', body)
        await store.copy('a', 'b')
        expect((await bytes(store.read('b'))).equals(body)).toBe(true)
      },
      { copySize: 6 * MiB },
    ))

  test('what has too many parts is refused, and nothing of it kept', async () => {
    const target = newTarget()
    await withStore(
      target,
      async store => {
        const refused = { name: 'StoreError', kind: 'refused', message: expect.stringContaining('too large') }
        await expect(store.write('a', Buffer.alloc(11 * MiB))).rejects.toMatchObject(refused)
        const { id } = await store.startUpload()
        await expect(store.appendUpload(id, 0, chunks(Buffer.alloc(11 * MiB)))).rejects.toMatchObject(refused)
        await store.abortUpload(id)
        expect(await keys(store.list(''))).toEqual([])
      },
      { partSize: 5 * MiB, maxParts: 2 },
    )
    expect(await openMultiparts(target)).toBe(0)
  })

  test('parts that an abort left which was cut short are no upload, and removed when it is opened', async () => {
    const target = newTarget('deis')
    const client = rawClient(target)
    const kept = async () => {
      const { Contents } = await client.send(new ListObjectsV2Command({ Bucket: target.bucket }))
      return (Contents ?? []).map(({ Key }) => Key)
    }
    let id = ''
    await withStore(target, async store => {
      ;({ id } = await store.startUpload())
      await store.appendUpload(id, 0, chunks('x'))
      expect(await kept()).toEqual([`deis/!uploads/${id}/begun`, `deis/!uploads/${id}/part-00001`])
      await client.send(new DeleteObjectCommand({ Bucket: target.bucket, Key: `deis/!uploads/${id}/begun` }))
      expect(await store.findUpload(id)).toBeNull()
      expect(await Array.fromAsync(store.uploads())).toEqual([])
    })
    expect(await kept()).toHaveLength(1)
    await withStore(target, async () => {})
    expect(await kept()).toEqual([])
    client.destroy()
  })

  const refusals: [name: string, change: Partial<S3Target>, why: RegExp][] = [
    [
      'a wrong secret',
      { credentials: { accessKeyId: 'deis', secretAccessKey: 'wrong' } },
      /cannot be used: bucket bucket-\d+: the server answers 403$/,
    ],
    ['a name that no bucket may have', { bucket: 'Not_A_Bucket' }, /cannot be used: bucket Not_A_Bucket/],
    [
      'a server that is not there',
      { endpoint: 'http://127.0.0.1:1' },
      /http:\/\/127.0.0.1:1 cannot be used: .*ECONNREFUSED/,
    ],
  ]
  test.each(refusals)('%s', async (_, change, why) => {
    const opening = openStore({ ...newTarget(), ...change })
    await expect(opening).rejects.toMatchObject({
      name: 'StartupError',
      exitCode: 69,
      message: expect.stringMatching(why),
    })
    await expect(opening).rejects.not.toMatchObject({ message: expect.stringContaining('wrong') })
  })

  // Last: it disturbs all others.
  test('a server that goes away is told, and used again when it is back', () =>
    withStore(newTarget(), async store => {
      await store.write('a', Buffer.from('x'))
      const { id } = await store.startUpload()
      await store.appendUpload(id, 0, chunks('begin'))
      await server.halt()
      const away = { name: 'StoreError', kind: 'unreachable', message: expect.stringContaining('ECONNREFUSED') }
      for (const use of [
        () => store.check(new AbortController().signal),
        () => store.stat('a'),
        () => store.read('a'),
        () => store.write('b', chunks('y')),
        () => store.copy('a', 'b'),
        () => store.delete('a'),
        () => keys(store.list('')),
        () => store.findUpload(id),
        () => store.finishUpload(id, 'c'),
      ])
        await expect(use()).rejects.toMatchObject(away)
      await server.resume()
      await store.check(new AbortController().signal)
      await store.appendUpload(id, 5, chunks(' end'))
      await store.finishUpload(id, 'c')
      expect(await text(store.read('c'))).toBe('begin end')
    }))
})
