// Settings that nginx gave their meaning (contract section 16).

import { getDiffieHellman } from 'node:crypto'
import { expect } from 'vitest'
import { makePair } from '#router/control/testdata/make-certificate.ts'
import { get } from '#test/support/app.ts'
import { contract, type Row } from './contract.ts'
import { app, secret } from './given.ts'
import type { Stage } from './stage.ts'

const rsa = makePair('dh.test', Date.UTC(2045, 0, 1), 'rsa')
const large = 4 * 1024 * 1024

const onlyNginx: readonly (readonly [key: string, value: string])[] = [
  ['trafficStatusZoneSize', '2m'],
  ['serverNameHashMaxSize', '1024'],
  ['serverNameHashBucketSize', '128'],
  ['proxyBuffers.busySize', '16k'],
]

const formats: readonly (readonly [format: string, line: RegExp])[] = [
  ['only $status here', /^only 200 here$/],
  [
    'A $remote_addr|$http_x_mark|$scheme|$request_method|$uri|$args',
    /^A 127\.0\.0\.1\|marked\|http\|GET\|\/path\|query$/,
  ],
  ['B $host $request_uri $server_protocol $http_host', /^B l\.test \/path\?query HTTP\/1\.1 L\.test$/],
  ['C $no_such_thing.', /^C -\.$/],
  ['D "$http_user_agent" $http_absent', /^D "marked" -$/],
  ['E $request_time $upstream_response_time $bytes_sent $body_bytes_sent', /^E \d+\.\d{3} \d+\.\d{3} \d+ \d+$/],
  ['F \u0024{status}x', /^F 200x$/],
  ['G $request_id', /^G [0-9a-f]{32}$/],
]

const rows: readonly Row[] = [
  ...onlyNginx.map(
    ([key, value]): Row => ({
      row: `§16.1 ${key}`,
      steps: [
        {
          settings: { [key]: value },
          request: { host: 'l.test' },
          expect: {
            status: 200,
            problem: { of: 'deis-router', says: new RegExp(`^warning annotation-without-effect .*${key}`) },
          },
        },
      ],
    }),
  ),
  ...formats.map(
    ([format, line]): Row => ({
      row: `§16.2 ${format}`,
      run: async stage => {
        await stage.settings({ logFormat: format, requestIDs: 'true' })
        const client = await stage.connect('http')
        await client.send(get('L.test', '/path?query', 'X-Mark: marked', 'User-Agent: marked'))
        expect((await client.response()).status).toBe(200)
        expect(
          await stage.process.until('the line', () =>
            stage.process.accessLog.find(one => one.startsWith(format.slice(0, 2))),
          ),
        ).toMatch(line)
      },
    }),
  ),
  {
    row: '§16.2 an unknown variable is warned of',
    steps: [
      {
        settings: { logFormat: 'C $no_such_thing.' },
        request: { host: 'l.test' },
        expect: { status: 200, problem: { of: 'deis-router', says: /logFormat.*no_such_thing/ } },
      },
    ],
  },
  {
    row: '§16.2 what a client sends is escaped there too',
    run: async stage => {
      await stage.settings({ logFormat: 'H $http_x_mark' })
      const client = await stage.connect('http')
      await client.send(get('l.test', '/', 'X-Mark: a"b\\c\xe9'))
      await client.response()
      expect(
        await stage.process.until('the line', () => stage.process.accessLog.find(one => one.startsWith('H a'))),
      ).toBe('H a\\x22b\\x5Cc\\xE9')
    },
  },
  {
    row: '§16.3 by default TLS 1.2',
    request: { host: 'l.test', tls: 'l.test', maxVersion: 'TLSv1.2' },
    expect: { status: 200 },
  },
  {
    row: '§16.3 by default TLS 1.3',
    request: { host: 'l.test', tls: 'l.test', minVersion: 'TLSv1.3' },
    expect: { status: 200 },
  },
  { row: '§16.3 by default no TLS 1.1', run: stage => spoken(stage, 'TLSv1.1', false) },
  {
    row: '§16.3 TLS 1.3 alone',
    steps: [
      {
        settings: { 'ssl.protocols': 'TLSv1.3' },
        request: { host: 'l.test', tls: 'l.test', maxVersion: 'TLSv1.2' },
        expect: { refused: true },
      },
      { request: { host: 'l.test', tls: 'l.test', minVersion: 'TLSv1.3' }, expect: { status: 200 } },
    ],
  },
  {
    row: '§16.3 TLS 1.2 alone',
    steps: [
      {
        settings: { 'ssl.protocols': 'TLSv1.2' },
        request: { host: 'l.test', tls: 'l.test', minVersion: 'TLSv1.3' },
        expect: { refused: true },
      },
      { request: { host: 'l.test', tls: 'l.test', maxVersion: 'TLSv1.2' }, expect: { status: 200 } },
    ],
  },
  {
    row: '§16.3 TLS 1.1 for those who ask for it',
    run: async stage => {
      await stage.settings({ 'ssl.protocols': 'TLSv1.1 TLSv1.2', 'ssl.ciphers': 'DEFAULT:@SECLEVEL=0' })
      await spoken(stage, 'TLSv1.1', true)
    },
  },
  {
    row: '§16.3 a gap cannot be',
    steps: [
      {
        settings: { 'ssl.protocols': 'TLSv1.1 TLSv1.3' },
        request: { host: 'l.test', tls: 'l.test' },
        expect: { status: 200, problem: { of: 'deis-router', says: /ssl\.protocols/ } },
      },
    ],
  },
  {
    row: '§16.3 SSL never',
    steps: [
      {
        settings: { 'ssl.protocols': 'SSLv3 TLSv1.2' },
        request: { host: 'l.test', tls: 'l.test' },
        expect: { status: 200, problem: { of: 'deis-router', says: /ssl\.protocols.*SSLv3/ } },
      },
    ],
  },
  ...(
    [
      ['ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-ECDSA-AES256-GCM-SHA384'],
      ['NO-SUCH-CIPHER:ECDHE-ECDSA-CHACHA20-POLY1305', 'ECDHE-ECDSA-CHACHA20-POLY1305'],
      ['[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-AES256-GCM-SHA384]', 'ECDHE-ECDSA-AES128-GCM-SHA256'],
      ['ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES256-GCM-SHA384'],
    ] as const
  ).map(
    ([ciphers, chosen]): Row => ({
      row: `§16.4 ${ciphers}`,
      run: async stage => {
        await stage.settings({ 'ssl.ciphers': ciphers })
        const client = await stage.connectTls({
          servername: 'l.test',
          maxVersion: 'TLSv1.2',
          ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305',
        })
        expect(client.socket.getCipher().name).toBe(chosen)
      },
    }),
  ),
  {
    row: '§16.4 unknown names are warned of',
    steps: [
      {
        settings: { 'ssl.ciphers': 'NO-SUCH-CIPHER:ECDHE-ECDSA-AES256-GCM-SHA384' },
        request: { host: 'l.test', tls: 'l.test' },
        expect: { status: 200, problem: { of: 'deis-router', says: /ssl\.ciphers.*NO-SUCH-CIPHER/ } },
      },
    ],
  },
  {
    row: '§16.11 its prime is what an exchange of keys goes by',
    given: [
      app('dh/app', { domains: 'dh.test', certificates: 'dh.test:dh' }),
      secret('dh/dh-cert', { 'tls.crt': rsa.crt, 'tls.key': rsa.key }),
      secret('deis/deis-router-dhparam', { dhparam: dhParameters('modp15') }),
    ],
    run: async stage => {
      await stage.settings({ 'ssl.ciphers': 'DHE-RSA-AES128-GCM-SHA256' })
      const client = await stage.connectTls({
        servername: 'dh.test',
        maxVersion: 'TLSv1.2',
        ciphers: 'DHE-RSA-AES128-GCM-SHA256',
      })
      expect(client.socket.getEphemeralKeyInfo()).toMatchObject({ type: 'DH', size: 3072 })
    },
  },
  {
    row: '§16.6 switched on',
    steps: [
      {
        settings: { loadModsecurityModule: 'true' },
        request: { host: 'l.test' },
        expect: {
          status: 200,
          problem: { of: 'deis-router', says: /^error not-enforced .*loadModsecurityModule.*not enforced/i },
        },
      },
    ],
  },
  {
    row: '§16.7 switched on',
    steps: [
      {
        settings: { 'ssl.earlyDataMethods': 'GET|HEAD' },
        request: { host: 'l.test', method: 'POST', body: 'x', fields: ['Early-Data: 1'] },
        expect: {
          status: 200,
          got: { fields: { 'early-data': null } },
          problem: { of: 'deis-router', says: /^warning .*earlyDataMethods/ },
        },
      },
    ],
  },
  {
    row: '§16.8 no more than that many',
    given: [app('m/busy', 'busy.test', { answer: { kind: 'by hand' } })],
    run: async stage => {
      await stage.settings({ maxWorkerConnections: '4' })
      const outcomes: string[] = []
      let pod: Promise<unknown> | null = null
      for (let i = 0; i < 8; i++) {
        const client = await stage.connect('http')
        await client.send(get('busy.test'))
        pod ??= stage.rawPod('m/busy')
        const outcome = await Promise.race([pod.then(() => 'served'), client.ended().then(() => 'refused')])
        if (outcome === 'served') pod = null
        outcomes.push(outcome)
      }
      const served = outcomes.filter(outcome => outcome === 'served').length
      expect(served).toBeGreaterThan(0)
      expect(served).toBeLessThanOrEqual(4)
    },
  },
  {
    row: '§16.9 an app is rid of its answer before its client has read it',
    given: [
      app(
        'b/large',
        {
          domains: 'large.test',
          'nginx.proxyBuffers.enabled': 'true',
          'nginx.proxyBuffers.number': '64',
          'nginx.proxyBuffers.size': '64k',
        },
        { answer: [`HTTP/1.1 200 OK\r\nContent-Length: ${large}\r\n\r\n`, 'x'.repeat(large)] },
      ),
    ],
    run: async stage => {
      const client = await stage.connect('http')
      client.socket.pause()
      await client.send(get('large.test'))
      await stage.sent('b/large')
      client.socket.resume()
      expect((await client.response()).body).toHaveLength(large)
    },
  },
  {
    row: '§16.10 debug',
    run: async stage => {
      // What only nginx knows is not worth more than a line of this level.
      const line = () => stage.process.log.find(one => JSON.stringify(one).includes('trafficStatusZoneSize: \\"7m'))
      await stage.settings({ errorLogLevel: 'debug', trafficStatusZoneSize: '7m' })
      expect(await stage.process.until('the line', line)).toMatchObject({ level: 'debug' })
    },
  },
]

/** PEM of a well-known group (PKCS #3: prime and generator). */
function dhParameters(group: string): string {
  const known = getDiffieHellman(group)
  const integer = (octets: Buffer): Buffer =>
    der(0x02, (octets[0]! & 0x80) === 0 ? octets : Buffer.concat([Buffer.of(0), octets]))
  const body = der(0x30, Buffer.concat([integer(known.getPrime()), integer(known.getGenerator())]))
  return `-----BEGIN DH PARAMETERS-----\n${body.toString('base64').replaceAll(/.{64}/g, '$&\n')}\n-----END DH PARAMETERS-----\n`
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content
  const header = length < 0x80 ? [tag, length] : [tag, 0x82, length >> 8, length & 255]
  return Buffer.concat([Buffer.from(header), content])
}

/** Whether a client that speaks only `version` gets through. */
async function spoken(stage: Stage, version: 'TLSv1.1', isSpoken: boolean): Promise<void> {
  const opening = stage.connectTls({
    servername: 'l.test',
    minVersion: version,
    maxVersion: version,
    ciphers: 'DEFAULT:@SECLEVEL=0',
  })
  if (!isSpoken) return void (await expect(opening).rejects.toThrow())
  expect((await opening).socket.getProtocol()).toBe(version)
}

contract([
  {
    name: 'settings',
    given: [app('l/app', { domains: 'l.test', certificates: 'l.test:l' }), secret('l/l-cert', 'l')],
    rows,
  },
])
