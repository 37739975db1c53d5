// Settings of the whole router (contract section 4), as far as no other section tells of them.

import { once } from 'node:events'
import { expect, test } from 'vitest'
import { get } from '#test/support/app.ts'
import { contract, type Group, type Row } from './contract.ts'
import { app, secret } from './given.ts'
import { Stage } from './stage.ts'

const megabyte = 1024 * 1024

/** The head of a request that announces a body, which then need not come. */
function announced(host: string, length: number): string {
  return `POST / HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: UA\r\nContent-Length: ${length}\r\n\r\n`
}

const waiting: readonly Row[] = [
  {
    row: '§4.1 an idle connection ends after defaultTimeout',
    run: async stage => {
      const client = await stage.connect('http')
      await client.send(get('s.test'))
      expect((await client.response()).status).toBe(200)
      expect(await client.ended()).toBe('end')
    },
  },
  {
    row: '§4.2 an app that says nothing for that long: 504',
    given: [app('w/silent', 'silent.test', { answer: { kind: 'silence' } })],
    request: { host: 'silent.test' },
    expect: { status: 504 },
  },
]

const plain: readonly Row[] = [
  {
    row: '§4.3 no ids by default',
    request: { host: 's.test' },
    expect: {
      status: 200,
      fields: { 'x-request-id': null, 'x-correlation-id': null },
      got: { fields: { 'x-request-id': null, 'x-correlation-id': null } },
    },
  },
  {
    row: '§4.3 by default a client’s own ids pass',
    request: { host: 's.test', fields: ['X-Request-Id: mine', 'X-Correlation-Id: too'] },
    expect: { got: { fields: { 'x-request-id': 'mine', 'x-correlation-id': 'too' } } },
  },
  {
    row: '§4.4 no request start by default',
    request: { host: 's.test' },
    expect: { got: { fields: { 'x-request-start': null } } },
  },
  {
    row: '§4.5 a megabyte',
    request: { host: 's.test', method: 'POST', body: 'x'.repeat(megabyte) },
    expect: { status: 200 },
  },
  {
    row: '§4.5 an octet more',
    request: { bytes: announced('s.test', megabyte + 1) },
    expect: { status: 413, app: null, fields: { 'content-type': 'text/html' } },
  },
  {
    row: '§4.5 a limit of one’s own',
    steps: [
      {
        settings: { bodySize: '1k' },
        request: { host: 's.test', method: 'POST', body: 'x'.repeat(1024) },
        expect: { status: 200 },
      },
      { request: { bytes: announced('s.test', 1025) }, expect: { status: 413, app: null } },
      {
        settings: { bodySize: '0' },
        request: { host: 's.test', method: 'POST', body: 'x'.repeat(megabyte + 1) },
        expect: { status: 200 },
      },
    ],
  },
  {
    row: '§4.6 with version',
    request: { host: 's.test' },
    expect: { fields: { server: /^deis-router\/\d+\.\d+\.\d+$/ } },
  },
  {
    row: '§4.6 with version on an error page',
    request: { host: 'nobody.test' },
    expect: { status: 404, fields: { server: /^deis-router\/\d/ } },
  },
  {
    row: '§4.6 disabled',
    steps: [
      {
        settings: { disableServerTokens: 'true' },
        request: { host: 's.test' },
        expect: { fields: { server: 'deis-router' } },
      },
      {
        request: { host: 'nobody.test' },
        expect: { status: 404, fields: { server: 'deis-router' }, body: /^(?!.*\d\.\d)/s },
      },
    ],
  },
  ...(['true', 'false'] as const).map(
    (enabled): Row => ({
      row: `§4.7 http2Enabled ${enabled}`,
      steps: [
        {
          settings: { http2Enabled: enabled },
          request: { host: 's.test', tls: 's.test', alpn: ['h2', 'http/1.1'] },
          expect: { status: 200, alpn: enabled === 'true' ? 'h2' : 'http/1.1' },
        },
      ],
    }),
  ),
  {
    row: '§4.9 HSTS implies the redirect',
    steps: [
      {
        settings: { 'ssl.hsts.enabled': 'true' },
        request: { host: 's.test' },
        expect: { status: 301, app: null, fields: { location: 'https://s.test/' } },
      },
      { settings: {}, request: { host: 's.test' }, expect: { status: 200 } },
    ],
  },
  ...(
    [
      [{}, 'max-age=15552000'],
      [{ 'ssl.hsts.maxAge': '10' }, 'max-age=10'],
      [{ 'ssl.hsts.includeSubDomains': 'true' }, 'max-age=15552000; includeSubDomains'],
      [{ 'ssl.hsts.preload': 'true' }, 'max-age=15552000; preload'],
      [
        { 'ssl.hsts.maxAge': '31536000', 'ssl.hsts.includeSubDomains': 'true', 'ssl.hsts.preload': 'true' },
        'max-age=31536000; includeSubDomains; preload',
      ],
    ] as const
  ).map(
    ([settings, value]): Row => ({
      row: `§4.10 ${value}`,
      steps: [
        {
          settings: { 'ssl.hsts.enabled': 'true', ...settings },
          request: { host: 's.test', tls: 's.test' },
          expect: { status: 200, fields: { 'strict-transport-security': value } },
        },
      ],
    }),
  ),
  {
    row: '§4.10 without enabled there is none',
    steps: [
      {
        settings: { 'ssl.hsts.maxAge': '10' },
        request: { host: 's.test', tls: 's.test' },
        expect: { status: 200, fields: { 'strict-transport-security': null } },
      },
    ],
  },
  {
    row: '§4.11 for apps that did not ask for it',
    steps: [
      { settings: { 'ssl.enforce': 'true' }, request: { host: 's.test' }, expect: { status: 301, app: null } },
      { request: { host: 's.test', tls: 's.test' }, expect: { status: 200 } },
      { request: { host: 'nobody.test' }, expect: { status: 404 } },
    ],
  },
  {
    row: '§4.4 t= and seconds',
    steps: [
      {
        settings: { requestStartHeader: 'true' },
        request: { host: 's.test' },
        expect: { got: { fields: { 'x-request-start': /^t=\d{10}\.\d{3}$/ } } },
      },
    ],
  },
]

/** Whether a second connection of TLS 1.2 with the ticket of a first one goes on with its session. */
async function resumes(stage: Stage): Promise<{ readonly ticket: boolean; readonly reused: boolean }> {
  const options = { servername: 's.test', minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const
  const first = await stage.connectTls(options)
  await first.send(get('s.test'))
  await first.response()
  const session = first.socket.getSession()
  const ticket = first.socket.getTLSTicket()
  const second = await stage.connectTls({ ...options, session })
  return { ticket: ticket !== undefined, reused: second.socket.isSessionReused() }
}

const tickets: readonly Row[] = [
  {
    row: '§4.8 by default sessions resume by ticket',
    run: async stage => expect(await resumes(stage)).toEqual({ ticket: true, reused: true }),
  },
  {
    row: '§4.8 without tickets, and without a cache',
    run: async stage => {
      await stage.settings({ 'ssl.useSessionTickets': 'false', 'ssl.sessionCache': 'off' })
      expect(await resumes(stage)).toEqual({ ticket: false, reused: false })
    },
  },
  {
    row: '§16.5 without either, TLS 1.3 does not resume either',
    run: async stage => {
      await stage.settings({ 'ssl.useSessionTickets': 'false', 'ssl.sessionCache': 'none' })
      const options = { servername: 's.test', minVersion: 'TLSv1.3' } as const
      const first = await stage.connectTls(options)
      let session: Buffer | undefined
      first.socket.on('session', (one: Buffer) => {
        session = one
      })
      await first.send(get('s.test'))
      await first.response()
      if (session !== undefined) {
        const second = await stage.connectTls({ ...options, session })
        expect(second.socket.isSessionReused()).toBe(false)
      }
    },
  },
  {
    row: '§4.8 TLS 1.3 resumes by ticket',
    run: async stage => {
      const options = { servername: 's.test', minVersion: 'TLSv1.3' } as const
      const first = await stage.connectTls(options)
      const told = once(first.socket, 'session') as Promise<[Buffer]>
      await first.send(get('s.test'))
      await first.response()
      const [session] = await told
      const second = await stage.connectTls({ ...options, session })
      expect(second.socket.isSessionReused()).toBe(true)
    },
  },
]

const own = [app('s/s', { domains: 's.test', certificates: 's.test:s' }), secret('s/s-cert', 's')]
const groups: readonly Group[] = [
  { name: 'defaults and what replaces them', given: own, rows: plain },
  { name: 'sessions', given: own, rows: tickets },
  {
    name: 'a defaultTimeout of a second',
    settings: { defaultTimeout: '1s' },
    given: own,
    rows: waiting,
    together: true,
  },
]
contract(groups)

/** A row that has a process of its own: threads are started once. */
const workers = { row: '§4.12 three workers' }

test(workers.row, async () => {
  await using stage = await Stage.start({
    workers: null,
    settings: { workerProcesses: '3' },
  })
  const { threads } = await stage.admin<{ readonly threads: readonly { readonly state: string }[] }>('/config')
  expect(threads.map(({ state }) => state)).toEqual(['serving', 'serving', 'serving'])
})
