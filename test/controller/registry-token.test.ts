// Tokens for the registry: who is given what (controller contract, section 2: rights on an app), and what is in them.

import { createPublicKey } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { jwtVerify } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { builderKey, ControllerStage, type Reply } from '#test/support/controller-stage.ts'

let stage: ControllerStage
const passwords: Record<string, string> = { builder: builderKey, node: 'node-key', nobody: 'f'.repeat(40) }

beforeAll(async () => {
  stage = await ControllerStage.start({ env: { DEIS_REGISTRY_NODE_KEY: 'node-key' } })
  for (const name of ['admin', 'owner', 'collaborator', 'stranger']) passwords[name] = await stage.user(name)
  await stage.app(passwords.owner!, 'shop')
  await stage.call('POST', '/v2/apps/shop/perms/', { token: passwords.owner!, body: { username: 'collaborator' } })
})
afterAll(async () => {
  await stage[Symbol.asyncDispose]()
})

function ask(name: string, password: string | null, query: string): Promise<Reply> {
  const basic = `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`
  return stage.call('GET', `/v2/registry/token?${query}`, {
    headers: password === null ? {} : { authorization: basic },
  })
}

async function claimsOf(token: string) {
  const pem = readFileSync(join(stage.directory, 'keys', 'registry-token.pub.pem'), 'utf8')
  const options = { issuer: 'deis-controller', audience: 'deis-registry', algorithms: ['ES256'] }
  return (await jwtVerify(token, createPublicKey(pem), options)).payload
}

const all = 'repository:shop:pull,push,delete'
const matrix: [who: string, scope: string, actions: string | null][] = [
  ['owner', all, 'pull,push'],
  ['collaborator', all, 'pull,push'],
  ['admin', all, 'pull,push'],
  ['stranger', all, null],
  ['builder', all, 'pull,push,delete'],
  ['node', all, 'pull'],
  ['owner', 'repository:shop:pull', 'pull'],
  ['owner', 'repository:shop/cache:pull,push', 'pull,push'],
  ['stranger', 'repository:shop/cache:pull', null],
  ['owner', 'repository:shop:*', null],
  ['builder', 'repository:shop:*', '*'],
  ['owner', 'repository:other:pull', null],
  ['owner', 'repository:../shop:pull', null],
  ['owner', 'repository:SHOP:pull', null],
  ['builder', 'repository:other:push', 'push'],
  ['owner', 'registry:catalog:*', null],
  ['node', 'registry:catalog:*', null],
  ['admin', 'registry:catalog:*', '*'],
  ['builder', 'registry:catalog:*', '*'],
  ['builder', 'registry:other:*', null],
  ['builder', 'nonsense', null],
]
for (const [who, scope, actions] of matrix)
  test(`${who}: ${scope}`, async () => {
    const { status, body } = await ask(who, passwords[who]!, `service=deis-registry&scope=${encodeURIComponent(scope)}`)
    expect(status).toBe(200)
    expect(body.token).toBe(body.access_token)
    const { access, sub, exp, iat, nbf, jti } = await claimsOf(body.token)
    const [type, name] = scope.split(':')
    expect(access).toEqual(actions === null ? [] : [{ type, name, actions: actions.split(',') }])
    expect(sub).toBe(['builder', 'node'].includes(who) ? who : `user:${who}`)
    expect([exp! - iat!, iat! - nbf!, typeof jti]).toEqual([body.expires_in, 30, 'string'])
  })

test('the builder gets one for a whole build, which gets others for what it is good for, and no more', async () => {
  const query = `scope=${encodeURIComponent('repository:shop:pull,push repository:shop/cache:pull,push')}&lifetime=7200`
  const { body } = await ask('builder', builderKey, query)
  const { exp, iat } = await claimsOf(body.token)
  expect([exp! - iat!, body.expires_in]).toEqual([7200, 7200])
  const asked = ['shop:pull,push,delete', 'shop/cache:pull', 'other:pull', 'shop/other:pull']
  const scopes = asked.map(each => `scope=repository:${each}`).join('&')
  const { body: given } = await ask('build', body.token, `${scopes}&scope=registry:catalog:*&lifetime=7200`)
  expect(given.expires_in).toBe(900)
  const { access, sub } = await claimsOf(given.token)
  expect(sub).toBe('build')
  expect(access).toEqual([
    { type: 'repository', name: 'shop', actions: ['pull', 'push'] },
    { type: 'repository', name: 'shop/cache', actions: ['pull'] },
  ])
  for (const lifetime of ['0', '-1', 'x', '172801', '1e3'])
    expect((await ask('builder', builderKey, `lifetime=${lifetime}`)).status).toBe(400)
  const user = await ask('owner', passwords.owner!, `${query}`)
  expect(user.body.expires_in).toBe(900)
})

const refused: [name: string, user: string, password: string | null, status: number][] = [
  ['nobody', '', null, 401],
  ['a token that is none', 'owner', 'f'.repeat(40), 401],
  ['an empty password', 'owner', '', 401],
  ['the key of another', 'node', builderKey, 401],
  ['the key of nodes for the builder', 'builder', 'node-key', 401],
  ['a build with a token that nobody signed', 'build', 'eyJhbGciOiJub25lIn0.eyJhY2Nlc3MiOltdfQ.', 401],
]
for (const [name, user, password, status] of refused)
  test(`refused: ${name}`, async () => {
    expect((await ask(user, password, `scope=${all}`)).status).toBe(status)
  })

test('several scopes, with spaces or one by one; too many; another service; other methods', async () => {
  const two = await ask(
    'owner',
    passwords.owner!,
    'scope=repository:shop:pull%20repository:other:pull&scope=repository:shop/x:push',
  )
  const { access } = await claimsOf(two.body.token)
  expect(access).toEqual([
    { type: 'repository', name: 'shop', actions: ['pull'] },
    { type: 'repository', name: 'shop/x', actions: ['push'] },
  ])
  const many = await ask(
    'owner',
    passwords.owner!,
    Array.from({ length: 21 }, () => 'scope=repository:a:pull').join('&'),
  )
  expect(many.status).toBe(400)
  expect((await ask('owner', passwords.owner!, 'service=elsewhere')).status).toBe(400)
  // Clients that try this first go on with GET.
  expect((await stage.call('POST', '/v2/registry/token', { body: {} })).status).toBe(401)
  const named = await ask('whoever', passwords.owner!, `scope=${all}`)
  expect((await claimsOf(named.body.token)).sub).toBe('user:owner')
})

test('the key is kept, and nobody else reads it', async () => {
  const file = join(stage.directory, 'keys', 'registry-token.pem')
  const before = readFileSync(file, 'utf8')
  expect(statSync(file).mode & 0o777).toBe(0o600)
  await stage.close()
  await stage.open()
  expect(readFileSync(file, 'utf8')).toBe(before)
})
