import { randomBytes } from 'node:crypto'
import { readdir, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { failOnLeaks } from '#test/support/leaks.ts'
import { call, digestOf, imageOf, ociIndex, ociManifest, RegistryStage } from '#test/support/registry-stage.ts'

failOnLeaks()

const grace = 3_600_000
let stage: RegistryStage
beforeEach(async () => {
  stage = await RegistryStage.start({ grace })
})
afterEach(() => stage[Symbol.asyncDispose]())

async function status(path: string): Promise<number> {
  return (await stage.call('GET', path)).status
}

test('what tags reach stays, and nothing else that is old', async () => {
  const tagged = await stage.pushImage('a', 'v1')
  const untagged = await stage.pushImage('a', null)
  const child = await stage.pushImage('a', null)
  const descriptor = { mediaType: ociManifest, digest: child.digest, size: child.text.length }
  const index = JSON.stringify({ schemaVersion: 2, mediaType: ociIndex, manifests: [descriptor] })
  await stage.putManifest('a', 'index', index, ociIndex)
  const referrer = await stage.pushImage('a', null, { subject: descriptor })
  const ofUntagged = { mediaType: ociManifest, digest: untagged.digest, size: untagged.text.length }
  const deadReferrer = await stage.pushImage('a', null, { subject: ofUntagged })
  const loose = await stage.pushBlob('b', 'loose')
  stage.ahead = 2 * grace
  const planned = await stage.registry.collect({ dryRun: true })
  expect(await status(`/v2/a/manifests/${untagged.digest}`)).toBe(200)
  const done = await stage.registry.collect()
  expect(done).toMatchObject({ manifests: 2, links: 5, blobs: 5, repositories: 0 })
  expect({ ...planned, dryRun: false, milliseconds: 0 }).toEqual({ ...done, milliseconds: 0 })
  for (const each of [tagged, child, referrer]) {
    expect(await status(`/v2/a/manifests/${each.digest}`)).toBe(200)
    for (const blob of each.blobs) expect(await status(`/v2/a/blobs/${blob}`)).toBe(200)
  }
  for (const each of [untagged, deadReferrer]) expect(await status(`/v2/a/manifests/${each.digest}`)).toBe(404)
  expect(await status(`/v2/b/blobs/${loose}`)).toBe(404)
  const referrers = await stage.call('GET', `/v2/a/referrers/${untagged.digest}`)
  expect(JSON.parse(referrers.body.toString()).manifests).toEqual([])
})

test('a blob that one of two repositories still has stays', async () => {
  const { blobs } = await stage.pushImage('a', 'v1')
  await stage.call('POST', `/v2/b/blobs/uploads/?mount=${blobs[0]}&from=a`)
  stage.ahead = 2 * grace
  expect(await stage.registry.collect()).toMatchObject({ links: 1, blobs: 0 })
  expect([await status(`/v2/a/blobs/${blobs[0]}`), await status(`/v2/b/blobs/${blobs[0]}`)]).toEqual([200, 404])
})

test('a repository without manifests is forgotten, in two steps', async () => {
  const { digest } = await stage.pushImage('a', 'v1')
  await stage.call('DELETE', `/v2/a/manifests/${digest}`)
  stage.ahead = 2 * grace
  expect(await stage.registry.collect()).toMatchObject({ repositories: 1, links: 2, blobs: 2 })
  expect(await stage.keys()).toEqual([])
})

test('what a tag named before has its grace time from the new push on', async () => {
  const before = await stage.pushImage('a', 'v1')
  stage.ahead = 0.9 * grace
  await stage.pushImage('a', 'v1')
  // The store stamps with the true time, so the renewal shows as a new stamp there.
  const [old] = (await Array.fromAsync(stage.store.list('manifests/a/'))).filter(({ key }) =>
    key.endsWith(before.digest.slice(7)),
  )
  stage.ahead = old!.modified.getTime() - Date.now() + 0.95 * grace
  expect(await stage.registry.collect()).toMatchObject({ manifests: 0 })
})

const relying: [name: string, rely: (digest: string) => Promise<unknown>][] = [
  ['asked for', digest => stage.call('HEAD', `/v2/a/blobs/${digest}`)],
  ['mounted', digest => stage.call('POST', `/v2/a/blobs/uploads/?mount=${digest}&from=a`)],
  ['pushed again', () => stage.pushBlob('a', 'content')],
]
test.for(relying)('a blob that was just %s is there for the manifest', async ([, rely]) => {
  const digest = await stage.pushBlob('a', 'content')
  const key = (await stage.keys('links/'))[0]!
  const before = (await stage.store.stat(key))!.modified
  await new Promise(resolve => setTimeout(resolve, 5))
  stage.ahead = 0.9 * grace
  await rely(digest)
  expect((await stage.store.stat(key))!.modified.getTime()).toBeGreaterThan(before.getTime())
})

/** All that is stored now is older than the grace time. */
async function age({ directory }: RegistryStage): Promise<void> {
  const then = new Date(Date.now() - 2 * grace)
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  for (const entry of entries) if (entry.isFile()) await utimes(join(entry.parentPath, entry.name), then, then)
}

test('under pushes nothing of a push is lost', async () => {
  await using busy = await RegistryStage.start({ grace })
  const garbage = await busy.pushImage('a', null)
  const shared = randomBytes(200)
  // As old as the garbage: only that it is asked for keeps it.
  for (const name of ['x', 'y', 'z']) for (const n of [0, 1, 2]) await busy.pushBlob(`load/${name}${n}`, shared)
  await age(busy)
  const ending = new AbortController()
  let pushed = 0
  const pusher = async (name: string): Promise<void> => {
    for (let i = 0; !ending.signal.aborted; i++) {
      const config = randomBytes(20)
      const repository = `load/${name}${i % 3}`
      await busy.pushBlob(repository, config)
      const seen = await busy.call('HEAD', `/v2/${repository}/blobs/${digestOf(shared)}`)
      if (seen.status === 404) await busy.pushBlob(repository, shared)
      const text = imageOf(config, [shared])
      expect((await busy.putManifest(repository, `t${i % 5}`, text)).status).toBe(201)
      for (const path of [`manifests/t${i % 5}`, `blobs/${digestOf(config)}`, `blobs/${digestOf(shared)}`])
        expect((await busy.call('GET', `/v2/${repository}/${path}`)).status).toBe(200)
      pushed++
    }
  }
  const pushers = Promise.all(['x', 'y', 'z'].map(pusher))
  let collected = 0
  const collect = async (): Promise<void> => {
    await busy.registry.collect()
    collected++
  }
  const collector = async (): Promise<void> => {
    // Until the garbage was removed, with what was of it, and pushes had their share of collections.
    const isThere = async () => (await busy.call('GET', `/v2/a/manifests/${garbage.digest}`)).status === 200
    const linked = async () => (await busy.keys('links/')).some(key => key.includes(garbage.blobs[0]!.slice(7)))
    while ((await isThere()) || (await linked()) || pushed < 50) await collect()
  }
  await collector().finally(() => ending.abort())
  await pushers
  expect(collected).toBeGreaterThan(1)
})

test('a run that two ask for counts once, and a dry one not at all', async () => {
  await stage.pushImage('a', null)
  stage.ahead = 2 * grace
  await stage.registry.collect({ dryRun: true })
  await Promise.all([stage.registry.collect(), stage.registry.collect()])
  const { body } = await call(stage.registry.adminPort, 'GET', '/metrics')
  const lines = body.toString().split('\n')
  expect(lines).toContain('deis_registry_collections_total{outcome="succeeded"} 1')
  expect(lines).toContain('deis_registry_collected_total{kind="manifests"} 1')
})
