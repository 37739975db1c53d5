// Blobs in chunks, through a line that breaks: what the registry has is not sent again, and what is pushed is whole.

import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, request as forward } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { PackedImage } from '#builder/image/pack.ts'
import { pushImage } from '#builder/image/push.ts'
import { mediaType } from '#kit/oci/manifest.ts'
import { digestOf, Registry, RegistryError } from '#kit/oci/registry.ts'
import { startOwnRegistry } from '#test/support/own-registry.ts'

const signal = AbortSignal.timeout(60_000)

async function imageOf(directory: string, bytes: Buffer): Promise<PackedImage> {
  const file = join(directory, 'layer')
  await writeFile(file, bytes)
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
  const layer = { mediaType: mediaType.layer, digest, size: bytes.length }
  const config = Buffer.from('{"rootfs":{"diff_ids":[]}}')
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaType.manifest,
      config: { mediaType: mediaType.config, digest: digestOf(config), size: config.length },
      layers: [layer],
    }),
  )
  return { layers: [{ ...layer, file, diffId: digest }], config, manifest, size: bytes.length }
}

test('a line that breaks in the middle of chunks', { timeout: 60_000 }, async () => {
  await using stack = new AsyncDisposableStack()
  const registry = stack.use(await startOwnRegistry())
  const directory = await mkdtemp(join(tmpdir(), 'push-'))
  stack.defer(() => rm(directory, { recursive: true }))
  let chunks = 0
  const seen: string[] = []
  const proxy = createServer((incoming, outgoing) => {
    const { method, url, headers } = incoming
    seen.push(method!)
    const breaks = method === 'PATCH' && [2, 5].includes(++chunks)
    const onward = forward(new URL(url!, registry.url), { method, headers }, answer => {
      outgoing.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(outgoing)
    })
    onward.on('error', () => outgoing.destroy())
    if (!breaks) incoming.pipe(onward)
    else
      incoming.once('data', chunk => {
        onward.write(chunk, () => {
          onward.destroy()
          incoming.socket.destroy()
        })
      })
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  stack.defer(() => void proxy.close())
  const url = new URL(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}`)
  const client = new Registry({ url, authorize: null, userAgent: 'test' })
  stack.defer(() => client.close())
  const bytes = randomBytes(3_000_001)
  const image = await imageOf(directory, bytes)
  const sent = await pushImage(client, 'chunks', 'one', image, { signal, chunk: 500_000 })
  expect(sent).toBe(image.size + image.config.length)
  expect(chunks).toBeGreaterThan(6)
  const blob = await client.blob('chunks', image.layers[0]!, signal)
  expect(Buffer.concat(await Array.fromAsync(blob)).equals(bytes)).toBe(true)
  // All of it is there now.
  seen.length = 0
  expect(await pushImage(client, 'chunks', 'two', image, { signal })).toBe(0)
  expect(seen.sort()).toEqual(['HEAD', 'HEAD', 'PUT'])
})

test('a file that is not what its digest says is refused, and nothing is tagged', async () => {
  await using registry = await startOwnRegistry()
  const directory = await mkdtemp(join(tmpdir(), 'push-'))
  const client = new Registry({ url: registry.url, authorize: null, userAgent: 'test' })
  const image = await imageOf(directory, randomBytes(1000))
  await writeFile(image.layers[0]!.file, randomBytes(1000))
  const error: unknown = await pushImage(client, 'wrong', 'one', image, { signal }).catch(error => error)
  expect(error).toBeInstanceOf(RegistryError)
  expect(String(error)).toMatch(/400 DIGEST_INVALID/)
  expect(await client.manifest('wrong', 'one', signal)).toBeNull()
  await client.close()
  await rm(directory, { recursive: true })
})
