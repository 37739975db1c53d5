// A registry that is killed in the middle of pushes shows no content under a digest that is not its own, and no tag of an
// image that is not all there; an upload that it had begun goes on.

import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { call, digestOf, imageOf, ociManifest } from '#test/support/registry-stage.ts'
import { startRegistry } from '#test/support/service-process.ts'

const rounds = 4

/** `onTag` is called with each tag that was answered. */
async function pushUntilKilled(
  port: number,
  round: number,
  worker: number,
  onTag: (tag: string) => void,
): Promise<void> {
  for (let i = 0; ; i++) {
    const [config, layer] = [randomBytes(30), randomBytes(300_000)]
    for (const content of [config, layer]) {
      const { headers } = await call(port, 'POST', '/v2/k/blobs/uploads/')
      const half = content.length >> 1
      await call(port, 'PATCH', headers.location!, content.subarray(0, half))
      await call(port, 'PUT', `${headers.location}?digest=${digestOf(content)}`, content.subarray(half))
    }
    const text = imageOf(config, [layer])
    const tag = `t${round}-${worker}-${i % 3}`
    await call(port, 'PUT', `/v2/k/manifests/${tag}`, text, { 'content-type': ociManifest })
    onTag(tag)
  }
}

async function checkAll(port: number): Promise<number> {
  const list = await call(port, 'GET', '/v2/k/tags/list')
  if (list.status === 404) return 0
  const { tags } = JSON.parse(list.body.toString()) as { tags: string[] }
  for (const tag of tags) {
    const { status, body, headers } = await call(port, 'GET', `/v2/k/manifests/${tag}`)
    expect([status, headers['docker-content-digest']]).toEqual([200, digestOf(body)])
    const { config, layers } = JSON.parse(body.toString())
    for (const { digest } of [config, ...layers]) {
      const blob = await call(port, 'GET', `/v2/k/blobs/${digest}`)
      expect([blob.status, `sha256:${createHash('sha256').update(blob.body).digest('hex')}`]).toEqual([200, digest])
    }
  }
  return tags.length
}

test('kill -9 during pushes', { timeout: 60_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'registry-killed-'))
  try {
    const content = randomBytes(100_000)
    let location = ''
    for (let round = 0; round < rounds; round++) {
      await using registry = await startRegistry(['--folder', folder])
      const { port } = registry.up
      await checkAll(port)
      if (round === 0) {
        location = (await call(port, 'POST', '/v2/k/blobs/uploads/')).headers.location!
        expect((await call(port, 'PATCH', location, content.subarray(0, 60_000))).status).toBe(202)
      }
      const { promise: tagged, resolve } = Promise.withResolvers<void>()
      const onTag = (tag: string): void => {
        if (tag === `t${round}-2-1`) resolve()
      }
      const pushers = Promise.allSettled([0, 1, 2].map(worker => pushUntilKilled(port, round, worker, onTag)))
      // Should they all fail before, that is the end of it as well.
      await Promise.race([tagged, pushers])
      await registry.end('SIGKILL')
      await pushers
    }
    await using registry = await startRegistry(['--folder', folder])
    expect(await checkAll(registry.up.port)).toBeGreaterThanOrEqual(rounds)
    const { headers } = await call(registry.up.port, 'GET', location)
    expect(headers.range).toBe('0-59999')
    const path = `${location}?digest=${digestOf(content)}`
    expect((await call(registry.up.port, 'PUT', path, content.subarray(60_000))).status).toBe(201)
    expect(await registry.end('SIGTERM')).toBe(0)
  } finally {
    await rm(folder, { recursive: true })
  }
})
