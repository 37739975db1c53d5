// Images in the platform's registry are of the app that their repository is called after: others neither run them, which
// is as good as reading them, nor get them with the name of an app that is gone.

import { afterAll, beforeAll, expect, test } from 'vitest'
import type { PackedImage } from '#builder/image/pack.ts'
import { pushImage } from '#builder/image/push.ts'
import { mediaType } from '#kit/oci/manifest.ts'
import { digestOf, Registry } from '#kit/oci/registry.ts'
import { BuildStage } from '#test/support/build-stage.ts'
import { ControllerStage, quick } from '#test/support/controller-stage.ts'
import { type OwnRegistry, startOwnRegistry } from '#test/support/own-registry.ts'

let registry: OwnRegistry
let builds: BuildStage
let stage: ControllerStage
let alice: string
let bob: string
let eve: string

beforeAll(async () => {
  registry = await startOwnRegistry()
  builds = await BuildStage.start(registry.url)
  stage = await ControllerStage.start({ registry: registry.url, times: quick })
  // Who comes first is an administrator.
  alice = await stage.user('alice')
  bob = await stage.user('bob')
  eve = await stage.user('eve')
})
afterAll(async () => {
  await stage[Symbol.asyncDispose]()
  await builds[Symbol.asyncDispose]()
  await registry[Symbol.asyncDispose]()
})

const files = {
  'package.json': '{}',
  'server.js': `require('node:http').createServer((_, answer) => answer.end()).listen(process.env.PORT)
process.on('SIGTERM', () => process.exit(0))
`,
}
const imageFor = async (app: string) => (await builds.build(files, { app })).image

function emptyImage(): PackedImage {
  const config = Buffer.from('{"rootfs":{"diff_ids":[]}}')
  const described = { mediaType: mediaType.config, digest: digestOf(config), size: config.length }
  const manifest = { schemaVersion: 2, mediaType: mediaType.manifest, config: described, layers: [] }
  return { layers: [], config, manifest: Buffer.from(JSON.stringify(manifest)), size: 0 }
}

function deploy(app: string, image: string, token: string) {
  return stage.call('POST', `/v2/apps/${app}/builds/`, {
    token,
    body: { image, procfile: { web: 'exec node server.js' } },
  })
}

test('an image of another app is deployed by those who may use that app', async () => {
  await stage.app(bob, 'hello')
  await stage.app(eve, 'thief')
  const image = await imageFor('hello')
  const refused = { detail: `image ${image} is of an app that you may not use` }
  expect(await deploy('thief', image, eve)).toMatchObject({ status: 400, body: refused })
  const withHost = `${registry.url.host}/${image}`
  expect((await deploy('thief', withHost, eve)).body.detail).toBe(`image ${withHost} is of an app that you may not use`)
  // No more is told of what is not there.
  expect((await deploy('thief', 'nobody:git-1a2b3c4d', eve)).body.detail).toBe(
    'image nobody:git-1a2b3c4d is of an app that you may not use',
  )
  expect((await deploy('hello', image, bob)).status).toBe(201)
  await stage.call('POST', '/v2/apps/hello/perms/', { token: bob, body: { username: 'eve' } })
  expect((await deploy('thief', image, eve)).status).toBe(201)
  await stage.app(alice, 'helm')
  expect((await deploy('helm', image, alice)).status).toBe(201)
})

test('who takes the name of an app that is gone finds no image of it', async () => {
  await stage.app(bob, 'shop')
  const image = await imageFor('shop')
  expect((await deploy('shop', image, bob)).status).toBe(201)
  await stage.call('DELETE', '/v2/apps/shop/', { token: bob })
  const client = new Registry({ url: registry.url, authorize: null, userAgent: 'test' })
  const signal = AbortSignal.timeout(10_000)
  // What is below its name is the app's too; what only begins like it is not.
  for (const name of ['shop/cache', 'shop-2']) {
    await pushImage(client, name, 'one', emptyImage(), { signal })
    expect(await client.tags(name, signal)).toHaveLength(1)
  }
  // A backup of the database may bring the app back.
  expect(await client.tags('shop', signal)).toEqual(['git-1a2b3c4d'])
  await stage.app(eve, 'shop')
  expect(await client.tags('shop', signal)).toEqual([])
  expect(await client.tags('shop/cache', signal)).toEqual([])
  expect(await client.tags('shop-2', signal)).toHaveLength(1)
  expect((await deploy('shop', image, eve)).status).toBe(400)
  await client.close()
})

test('a registry that is away gives no name to anybody, and leaves nothing half made', async () => {
  const away = await startOwnRegistry()
  await using other = await ControllerStage.start({ registry: away.url, times: quick })
  const token = await other.user('alice')
  await away[Symbol.asyncDispose]()
  const { status, body } = await other.call('POST', '/v2/apps/', { token, body: { id: 'early' } })
  expect([status, body.detail]).toEqual([
    503,
    'Images of an app that had this name cannot be looked for: the registry does not answer: ECONNREFUSED',
  ])
  expect((await other.call('GET', '/v2/apps/early/', { token })).status).toBe(404)
})
