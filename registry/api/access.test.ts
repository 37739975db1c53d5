import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { SignJWT } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { failOnLeaks } from '#test/support/leaks.ts'
import { call, RegistryStage } from '#test/support/registry-stage.ts'
import { readPublicKeys } from './access.ts'

failOnLeaks()

const pair = (): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } =>
  generateKeyPairSync('ec', { namedCurve: 'P-256' })
const [old, current, foreign] = [pair(), pair(), pair()]
const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString()

let stage: RegistryStage
let digest: string
beforeAll(async () => {
  const keys = readPublicKeys(pem(old.publicKey) + pem(current.publicKey))!
  const realm = 'http://deis.example/v2/registry/token'
  stage = await RegistryStage.start({
    pullPort: 0,
    tokens: { realm, service: 'registry', issuer: 'deis-controller', keys },
  })
  const authorization = `Bearer ${await token({}, 'a', ['pull', 'push'])}`
  const { createHash } = await import('node:crypto')
  digest = `sha256:${createHash('sha256').update('abc').digest('hex')}`
  const { status } = await stage.call('POST', `/v2/a/blobs/uploads/?digest=${digest}`, 'abc', { authorization })
  expect(status).toBe(201)
})
afterAll(() => stage[Symbol.asyncDispose]())

interface Given {
  readonly key?: KeyObject
  readonly issuer?: string
  readonly audience?: string
  readonly expires?: number
  readonly notBefore?: number
}

function token(given: Given, name: string, actions: readonly string[], type = 'repository'): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  return new SignJWT({ access: [{ type, name, actions }] })
    .setProtectedHeader({ alg: 'ES256', typ: 'JWT' })
    .setIssuer(given.issuer ?? 'deis-controller')
    .setAudience(given.audience ?? 'registry')
    .setSubject('ann')
    .setIssuedAt(now)
    .setNotBefore(now + (given.notBefore ?? 0))
    .setExpirationTime(now + (given.expires ?? 300))
    .sign(given.key ?? current.privateKey)
}

const challenge = 'Bearer realm="http://deis.example/v2/registry/token",service="registry"'

test('on the port of machines everybody may read, and nobody change', async () => {
  const { pullPort } = stage.registry
  const ask = async (method: string, path: string) => (await call(pullPort!, method, path)).status
  expect(await ask('GET', '/v2/')).toBe(200)
  expect(await ask('GET', `/v2/a/blobs/${digest}`)).toBe(200)
  expect(await ask('GET', '/v2/a/manifests/none')).toBe(404)
  for (const [method, path] of [
    ['POST', '/v2/a/blobs/uploads/'],
    ['DELETE', `/v2/a/blobs/${digest}`],
    ['PUT', '/v2/a/manifests/x'],
    ['GET', '/v2/_catalog'],
  ] as const)
    expect(await ask(method, path), path).toBe(403)
})

test('without a token, a challenge says where to get which', async () => {
  const rows: [method: string, path: string, scope: string][] = [
    ['GET', '/v2/', ''],
    ['GET', '/v2/a/tags/list', ',scope="repository:a:pull"'],
    ['POST', '/v2/a/b/blobs/uploads/', ',scope="repository:a/b:pull,push"'],
    ['DELETE', '/v2/a/manifests/x', ',scope="repository:a:delete"'],
    ['GET', '/v2/_catalog', ',scope="registry:catalog:*"'],
  ]
  for (const [method, path, scope] of rows) {
    const { status, code, headers } = await stage.call(method, path)
    expect([status, code, headers['www-authenticate']]).toEqual([401, 'UNAUTHORIZED', challenge + scope])
  }
})

const rows: [name: string, make: () => Promise<string>, status: number][] = [
  ['that is good', () => token({}, 'a', ['pull']), 200],
  ['of the key before', () => token({ key: old.privateKey }, 'a', ['pull']), 200],
  ['of a foreign key', () => token({ key: foreign.privateKey }, 'a', ['pull']), 401],
  ['of another issuer', () => token({ issuer: 'x' }, 'a', ['pull']), 401],
  ['for another service', () => token({ audience: 'x' }, 'a', ['pull']), 401],
  ['that is over', () => token({ expires: -60 }, 'a', ['pull']), 401],
  ['that is not yet good', () => token({ notBefore: 60 }, 'a', ['pull']), 401],
  ['for another repository', () => token({}, 'ab', ['pull']), 401],
  ['for another action', () => token({}, 'a', ['push']), 401],
  ['for another type', () => token({}, 'a', ['pull'], 'plugin'), 401],
  ['that is none', async () => 'a.b.c', 401],
  [
    'without a signature',
    async () => `${btoa('{"alg":"none"}').replaceAll('=', '')}.${btoa('{}').replaceAll('=', '')}.`,
    401,
  ],
]
test.for(rows)('a token %s', async ([, make, status]) => {
  const authorization = `Bearer ${await make()}`
  expect((await stage.call('GET', `/v2/a/blobs/${digest}`, null, { authorization })).status).toBe(status)
})

test('the catalog needs a right of its own', async () => {
  const authorization = `Bearer ${await token({}, 'catalog', ['*'], 'registry')}`
  expect((await stage.call('GET', '/v2/_catalog', null, { authorization })).status).toBe(200)
})

test('only what may be pulled is mounted', async () => {
  const authorization = `Bearer ${await token({}, 'b', ['pull', 'push'])}`
  for (const from of ['', '&from=a']) {
    const path = `/v2/b/blobs/uploads/?mount=${digest}${from}`
    expect((await stage.call('POST', path, null, { authorization })).status).toBe(202)
  }
})

const pems: [name: string, text: string][] = [
  ['nothing', ''],
  ['another curve', pem(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey)],
  ['rubbish', '-----BEGIN PUBLIC KEY-----\nabc\n-----END PUBLIC KEY-----'],
]
test.for(pems)('no key in %s', ([, text]) => expect(readPublicKeys(text)).toBe(null))
