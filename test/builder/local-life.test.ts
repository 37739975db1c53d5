// From a build to a running app on one machine: the strategy pushes, the controller deploys, the local cluster pulls.

import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { selfSign } from '#kit/self-signed.ts'
import { BuildStage } from '#test/support/build-stage.ts'
import { builderKey, ControllerStage } from '#test/support/controller-stage.ts'
import { startOwnRegistry } from '#test/support/own-registry.ts'

const example = (name: string): URL => new URL(`../../examples/${name}/`, import.meta.url)
const headers = { 'x-deis-builder-auth': builderKey }

/** What the app answers, at the port that the router is told. */
async function ask(stage: ControllerStage, path = '/'): Promise<string> {
  const texts = readdirSync(stage.manifests).map(name => readFileSync(join(stage.manifests, name), 'utf8'))
  const port = /"?port"?: (\d{4,5})\b/.exec(texts.find(text => text.includes('EndpointSlice')) ?? '')?.[1]
  const response = await fetch(`http://127.0.0.1:${port}${path}`)
  return await response.text()
}

async function deploy(stage: ControllerStage, app: string, sha: string, built: { image: string; procfile: object }) {
  const body = { sha, receive_user: 'user1', receive_repo: app, dockerfile: '', ...built }
  return await stage.call('POST', '/v2/hooks/build/', { headers, body })
}

test('apps of each kind run from the registry', { timeout: 60_000 }, async () => {
  await using registry = await startOwnRegistry()
  await using builds = await BuildStage.start(registry.url)
  await using stage = await ControllerStage.start({ registry: registry.url })
  const token = await stage.user('user1')
  for (const [kind, text] of [
    ['node-app', 'Hello from node-app v2'],
    ['python-app', 'Hello from python-app'],
    ['static-app', 'Hello from a static app'],
  ] as const) {
    const app = await stage.app(token, kind)
    const { image, procfile } = await builds.build(example(kind), { app })
    const deployed = await deploy(stage, app, '1a2b3c4d', { image, procfile })
    expect([deployed.status, deployed.body]).toEqual([200, { release: { version: 2 } }])
    expect(await ask(stage)).toContain(text)
    await stage.call('DELETE', `/v2/apps/${app}/`, { token })
  }
  const app = await stage.app(token, 'lost')
  const lost = await deploy(stage, app, '1a2b3c4d', { image: 'lost:git-1a2b3c4d', procfile: { web: 'x' } })
  expect([lost.status, JSON.stringify(lost.body)]).toEqual([
    400,
    expect.stringContaining('image lost:git-1a2b3c4d not found'),
  ])
})

test('the environment of an image, its profile, and a registry that is away', { timeout: 60_000 }, async () => {
  await using stack = new AsyncDisposableStack()
  const registry = await startOwnRegistry()
  let isUp = true
  stack.defer(async () => {
    if (isUp) await registry[Symbol.asyncDispose]()
  })
  const builds = stack.use(await BuildStage.start(registry.url))
  const stage = stack.use(await ControllerStage.start({ registry: registry.url }))
  const token = await stage.user('user1')
  const app = await stage.app(token, 'profile')
  const server = `require('node:http').createServer((q, s) => s.end(process.env.FROM_PROFILE + process.env.HOME)).listen(process.env.PORT)`
  const { image, procfile } = await builds.build(
    {
      'package.json': JSON.stringify({ scripts: { start: 'node a.js' } }),
      'a.js': server,
      '.profile.d/x.sh': 'export FROM_PROFILE="profile $HOME "\n',
    },
    { app },
  )
  expect((await deploy(stage, app, '1a2b3c4d', { image, procfile })).status).toBe(200)
  expect(await ask(stage)).toMatch(/^profile (\/.*\/files\/\w{6}\/root\/app) \1$/)
  await registry[Symbol.asyncDispose]()
  isUp = false
  const ran = await stage.call('POST', `/v2/apps/${app}/run`, { token, body: { command: 'ls' } })
  expect(ran.body).toEqual({ exit_code: 0, output: 'a.js\npackage.json\n' })
})

test('tokens of the controller open a registry that trusts its key', { timeout: 60_000 }, async () => {
  const { chain, key } = selfSign(['registry'], 1, Date.now())
  const directory = await mkdtemp(join(tmpdir(), 'token-key-'))
  const file = join(directory, 'key.pem')
  await writeFile(file, key)
  const where = {
    realm: 'http://127.0.0.1:9/',
    service: 'deis-registry',
    issuer: 'deis-controller',
    certificate: chain,
  }
  await using registry = await startOwnRegistry(where)
  await using stage = await ControllerStage.start({
    registry: registry.url,
    env: { DEIS_CONTROLLER_REGISTRY_TOKEN_KEY: file },
  })
  const token = await stage.user('user1')
  const app = await stage.app(token, 'locked')
  const tokens = new URL('/v2/registry/token', stage.url)
  {
    await using builds = await BuildStage.start(registry.url)
    await expect(builds.build(example('static-app'), { app })).rejects.toThrow(/cannot be pushed: .*: 401$/)
  }
  {
    const credentials = { username: 'builder', password: 'wrong' }
    await using builds = await BuildStage.start(registry.url, { credentials, tokens })
    await expect(builds.build(example('static-app'), { app })).rejects.toThrow(/cannot be pushed: a token: 401/)
  }
  const credentials = { username: 'builder', password: builderKey }
  await using builds = await BuildStage.start(registry.url, { credentials, tokens })
  const { image, procfile } = await builds.build(example('static-app'), { app })
  expect((await deploy(stage, app, '1a2b3c4d', { image, procfile })).status).toBe(200)
  expect(await ask(stage)).toContain('Hello from a static app')
  await rm(directory, { recursive: true })
})
