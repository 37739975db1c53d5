// An app from its first line to its last, through the API, with processes of this machine and the router in front.

import { mkdir, writeFile } from 'node:fs/promises'

import { get } from 'node:http'
import { get as getTls } from 'node:https'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { expect, test } from 'vitest'
import { selfSign } from '#kit/self-signed.ts'
import { ControllerStage } from '#test/support/controller-stage.ts'
import { startManifestRouter } from '#test/support/manifest-router.ts'

const server = `
const { createServer } = require('node:http')
const server = createServer((_request, response) => response.end(process.env.WORD + ' from ' + process.env.WORKFLOW_RELEASE))
server.listen(process.env.PORT)
process.on('SIGTERM', () => server.close(() => process.exit(0)))
`

interface Heard {
  readonly status: number
  readonly text: string
  readonly location: string | undefined
  readonly fingerprint: string | null
}

function hear(port: number, host: string, secure = false): Promise<Heard> {
  const { promise, resolve, reject } = Promise.withResolvers<Heard>()
  const options = { host: '127.0.0.1', port, headers: { host }, agent: false, path: '/' } as const
  const request = secure ? getTls({ ...options, servername: host, rejectUnauthorized: false }) : get(options)
  request.on('error', reject)
  request.on('response', async response => {
    const text = Buffer.concat(await response.toArray()).toString()
    const fingerprint = secure ? (response.socket as TLSSocket).getPeerCertificate().fingerprint256 : null
    resolve({ status: response.statusCode ?? 0, text, location: response.headers.location, fingerprint })
  })
  return promise
}

/** The router has heard of a change when the answer fits: changes go live within milliseconds, but not at once. */
async function until(ask: () => Promise<Heard>, fits: (heard: Heard) => boolean): Promise<Heard> {
  for (;;) {
    const heard = await ask()
    if (fits(heard)) return heard
  }
}

test('create, configure, deploy, scale, domain, certificate, maintenance, whitelist, TLS, rollback, destroy', async () => {
  await using stage = await ControllerStage.start()
  const source = join(stage.directory, 'source')
  await mkdir(source)
  await writeFile(join(source, 'server.cjs'), server)
  await using site = await startManifestRouter(stage.manifests)
  const token = await stage.user('alice')
  const call = async (method: string, path: string, body?: unknown, status = 201) => {
    const reply = await stage.call(method, `/v2/apps/shop${path}`, { token, body })
    expect([method, path, reply.status, reply.body]).toEqual([method, path, status, reply.body])
    return reply.body
  }
  const http = (host = 'www.example.com') => hear(site.httpPort, host)

  await stage.app(token, 'shop')
  await call('POST', '/config/', { values: { WORD: 'hello' } })
  await call('POST', '/domains/', { domain: 'www.example.com' })
  const build = await call('POST', '/builds/', { image: source, procfile: { web: `${process.execPath} server.cjs` } })
  expect(build).toMatchObject({ app: 'shop', image: source, owner: 'alice', sha: '' })
  expect(await until(http, ({ status }) => status === 200)).toMatchObject({ text: 'hello from v3' })

  await call('POST', '/scale/', { web: 3 }, 204)
  const pods = await call('GET', '/pods/web/', undefined, 200)
  expect(pods.count).toBe(3)
  expect(pods.results[0]).toMatchObject({ type: 'web', release: 'v3', state: 'up' })
  expect((await stage.call('GET', '/v2/apps/shop/', { token })).body.structure).toEqual({ web: 3 })

  await call('POST', '/config/', { values: { WORD: 'goodbye' } })
  expect(await until(http, ({ text }) => text.startsWith('goodbye'))).toMatchObject({ text: 'goodbye from v4' })

  const restarted = await call('POST', '/pods/restart/', undefined, 200)
  expect(restarted).toHaveLength(3)
  const names = new Set(pods.results.map(({ name }: { name: string }) => name))
  expect(restarted.some(({ name }: { name: string }) => names.has(name))).toBe(false)

  expect(await call('POST', '/run', { command: 'echo $WORD; exit 3' }, 200)).toEqual({
    exit_code: 3,
    output: 'goodbye\n',
  })

  const pair = selfSign(['www.example.com'], 30, Date.now())
  const added = await stage.call('POST', '/v2/certs/', {
    token,
    body: { name: 'shop', certificate: pair.chain, key: pair.key },
  })
  expect(added.body).toMatchObject({ name: 'shop', fingerprint: pair.fingerprint, domains: [] })
  const attached = await stage.call('POST', '/v2/certs/shop/domain/', { token, body: { domain: 'www.example.com' } })
  expect(attached.status).toBe(201)
  const https = () => hear(site.httpsPort, 'www.example.com', true)
  await until(https, ({ fingerprint }) => fingerprint === pair.fingerprint)

  await call('POST', '/tls/', { https_enforced: true })
  expect(await until(http, ({ status }) => status === 301)).toMatchObject({ location: 'https://www.example.com/' })
  await call('POST', '/tls/', { https_enforced: false })
  await until(http, ({ status }) => status === 200)

  await call('POST', '/settings/', { maintenance: true })
  await until(http, ({ status }) => status === 503)
  await call('POST', '/settings/', { maintenance: false })
  await until(http, ({ status }) => status === 200)

  await call('POST', '/whitelist/', { addresses: ['192.0.2.0/24'] })
  await until(http, ({ status }) => status === 403)
  await call('DELETE', '/whitelist/', { addresses: ['192.0.2.0/24'] }, 204)
  await until(http, ({ status }) => status === 200)

  const broken = await stage.call('POST', '/v2/apps/shop/builds/', {
    token,
    body: { image: source, procfile: { web: 'exit 1' } },
  })
  expect(broken.status).toBe(400)
  expect(broken.body.detail).toContain('There was a problem deploying v5. Rolling back process types to release v4.')
  expect((await http()).text).toBe('goodbye from v4')

  expect(await call('POST', '/releases/rollback/', { version: 3 })).toEqual({ version: 6 })
  expect(await until(http, ({ text }) => text.startsWith('hello'))).toMatchObject({ text: 'hello from v6' })
  const history = await call('GET', '/releases/', undefined, 200)
  expect(
    history.results.map((release: { version: number; summary: string; failed: boolean }) => [
      release.version,
      release.summary,
      release.failed,
    ]),
  ).toEqual([
    [6, 'alice rolled back to v3', false],
    [5, expect.stringMatching(/^alice deployed [0-9a-f]{7} which failed$/), true],
    [4, 'alice changed WORD', false],
    [3, `alice deployed ${source}`, false],
    [2, 'alice added WORD', false],
    [1, 'alice created initial release', false],
  ])

  await call('DELETE', '/domains/www.example.com', undefined, 204)
  await until(http, ({ status }) => status === 404)
  await call('DELETE', '/', undefined, 204)
  await call('GET', '/', undefined, 404)
  expect(stage.log.filter(({ level }) => level === 'error')).toEqual([])
})
