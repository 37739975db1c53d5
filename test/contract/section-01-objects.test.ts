// Which objects count, and on which ports (contract sections 1 and 2).

import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { connectTo } from '#test/support/peer.ts'
import { RouterProcess } from '#test/support/router-process.ts'
import { contract, type Row } from './contract.ts'
import { app, pair, secret } from './given.ts'
import { ownAddress } from './stage.ts'

const routable = 'router.deis.io/routable'

const labels: readonly (readonly [value: string | null, status: number])[] = [
  ['true', 200],
  ['false', 404],
  ['True', 404],
  ['TRUE', 404],
  ['1', 404],
  ['yes', 404],
  ['', 404],
  [null, 404],
]

const objects: readonly Row[] = [
  ...labels.map(
    ([value, status], index): Row => ({
      row: `§1.1 routable ${value === null ? 'missing' : JSON.stringify(value)}`,
      given: [
        {
          ...app(`l${index}/app`, `label-${index}.test`),
          labels: value === null ? {} : { [routable]: value },
        },
      ],
      request: { host: `label-${index}.test` },
      expect: { status, app: status === 200 ? `l${index}/app` : null },
    }),
  ),
  {
    row: '§1.2 port 80, whatever its name and targetPort',
    given: [app('o1/named', 'named.test', { ports: [{ name: 'web', port: 80, targetPort: 'the-app' }] })],
    request: { host: 'named.test' },
    expect: { status: 200, app: 'o1/named' },
  },
  {
    row: '§1.2 port 80 among others',
    given: [
      app('o1/many', 'many.test', {
        ports: [
          { name: 'a', port: 8080 },
          { name: 'http', port: 80 },
          { name: 'z', port: 443 },
        ],
      }),
    ],
    request: { host: 'many.test' },
    expect: { status: 200, app: 'o1/many' },
  },
  {
    row: '§1.2 without a port 80 there is nobody to ask',
    given: [app('o1/other', 'other.test', { ports: [{ name: 'http', port: 8080 }] })],
    request: { host: 'other.test' },
    expect: { status: 503, app: null, problem: { of: 'o1/other', says: /error no-port .*80/ } },
  },
  {
    row: '§1.3 no Secret',
    given: [app('o2/none', { domains: 'none.test', certificates: 'none.test:none' })],
    steps: [
      {
        request: { host: 'none.test' },
        expect: { status: 200, problem: { of: 'o2/none', says: /certificate-missing.*o2\/none-cert/ } },
      },
      { request: { host: 'none.test', tls: 'none.test' }, expect: { status: 404, certificate: 'self-signed' } },
    ],
  },
  ...(['tls.crt', 'tls.key'] as const).map((lacking, index): Row => {
    const { crt, key } = pair('half')
    const name = `half-${index}`
    return {
      row: `§1.3 a Secret without ${lacking}`,
      given: [
        app(`o3/${name}`, { domains: `${name}.test`, certificates: `${name}.test:${name}` }),
        secret(`o3/${name}-cert`, lacking === 'tls.crt' ? { 'tls.key': key } : { 'tls.crt': crt }),
      ],
      steps: [
        { request: { host: `${name}.test` }, expect: { status: 200, app: `o3/${name}` } },
        { request: { host: `${name}.test`, tls: `${name}.test` }, expect: { status: 404, certificate: 'self-signed' } },
        { expect: { problem: { of: `o3/${name}-cert`, says: new RegExp(`certificate-invalid .*${lacking}`) } } },
      ],
    }
  }),
  ...(['Opaque', 'kubernetes.io/tls', 'example.com/own'] as const).map(
    (type, index): Row => ({
      row: `§1.4 a Secret of type ${type}`,
      given: [
        app(`o4/type-${index}`, { domains: `type-${index}.test`, certificates: `type-${index}.test:type-${index}` }),
        secret(`o4/type-${index}-cert`, `type-${index}`, type),
      ],
      request: { host: `type-${index}.test`, tls: `type-${index}.test` },
      expect: { status: 200, certificate: `type-${index}` },
    }),
  ),
  {
    row: '§1.5 a Deployment of another namespace, and a pod template, say nothing',
    given: [
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: {
          namespace: 'o5',
          name: 'deis-router',
          annotations: { 'router.deis.io/nginx.ssl.enforce': 'true' },
        },
        spec: { template: { metadata: { annotations: { 'router.deis.io/nginx.ssl.enforce': 'true' } } } },
      } as never,
      app('o5/app', 'elsewhere.test'),
    ],
    request: { host: 'elsewhere.test' },
    expect: { status: 200 },
  },
]

const ports: readonly Row[] = [
  { row: '§2.1 HTTP/1.1', request: { host: 'port.test' }, expect: { status: 200 } },
  { row: '§2.1 HTTP/1.0', request: { host: 'port.test', version: '1.0' }, expect: { status: 200 } },
  {
    row: '§2.1 HTTP/2 in the clear, with prior knowledge',
    request: { bytes: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' },
    expect: { app: null, fields: { 'content-type': 'text/html' } },
  },
  {
    row: '§2.1 an offer of h2c',
    request: {
      host: 'port.test',
      fields: ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__'],
    },
    expect: { status: 200, got: { fields: { upgrade: null, 'http2-settings': null } } },
  },
  {
    row: '§2.2 ALPN http/1.1',
    request: { host: 'port.test', tls: 'port.test', alpn: ['http/1.1'] },
    expect: { status: 200, alpn: 'http/1.1' },
  },
  {
    row: '§2.2 ALPN with h2 first',
    request: { host: 'port.test', tls: 'port.test', alpn: ['h2', 'http/1.1'] },
    expect: { status: 200, alpn: 'h2' },
  },
  { row: '§2.2 no ALPN', request: { host: 'port.test', tls: 'port.test' }, expect: { status: 200, alpn: false } },
  {
    row: '§2.3 health in the clear',
    request: { host: 'x', port: 'admin', target: '/healthz' },
    expect: { status: 200 },
  },
  {
    row: '§2.3 no PROXY header on the admin port',
    steps: [
      { settings: { useProxyProtocol: 'true' } },
      { request: { host: 'x', port: 'admin', target: '/healthz' }, expect: { status: 200 } },
    ],
  },
]

contract([
  { name: 'objects', rows: objects },
  {
    name: 'ports',
    given: [app('p/port', { domains: 'port.test', certificates: 'port.test:port' }), secret('p/port-cert', 'port')],
    rows: ports,
  },
])

/** A row that has a process of its own. */
const beforeTheFirst = { row: '§2.4 while the API server is silent no port listens but the admin port, which says 503' }

test(beforeTheFirst.row, async () => {
  const host = ownAddress()
  await using stack = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'router-contract-'))
  stack.defer(() => rm(directory, { recursive: true }))
  const asked: AsyncDisposable[] = []
  const api = createServer(socket => {
    socket.on('error', () => {})
    asked.push({ [Symbol.asyncDispose]: async () => void socket.destroy() })
    api.emit('asked')
  })
  const someoneAsks = once(api, 'asked')
  api.listen(7443, host)
  await once(api, 'listening')
  stack.defer(async () => {
    for (const one of asked) await one[Symbol.asyncDispose]()
    api.close()
    await once(api, 'close')
  })
  const kubeconfig = join(directory, 'config')
  const named = (key: string, value: object) => [{ name: 'x', [key]: value }]
  await writeFile(
    kubeconfig,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: named('cluster', { server: `http://${host}:7443` }),
      users: named('user', { token: 'none' }),
      contexts: named('context', { cluster: 'x', user: 'x' }),
      'current-context': 'x',
    }),
  )
  const fixed = ['--http-port', '8080', '--https-port', '6443', '--builder-port', '2222', '--admin-port', '9090']
  const router = stack.use(
    new RouterProcess(['--address', host, '--workers', '1', '--kubeconfig', kubeconfig, ...fixed]),
  )
  await Promise.race([someoneAsks, router.exited.then(code => Promise.reject(new Error(`it ended: ${code}`)))])
  const answer = await fetch(`http://${host}:9090/healthz`)
  expect([answer.status, await text(answer.body!)]).toEqual([503, expect.stringContaining('waiting for')])
  for (const port of [8080, 6443, 2222]) await expect(connectTo(port, { host })).rejects.toThrow('ECONNREFUSED')
})
