// The TLS settings as a client meets them (contract sections 4, 8 and 16): versions, suites, sessions, sizes of records.

import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { connect as connectPlain } from 'node:net'
import { duplexPair } from 'node:stream'
import { type ConnectionOptions, connect as connectTls, type SecureVersion } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { makePair } from '#router/control/testdata/make-certificate.ts'
import type { Certificate } from '#router/model/certificate.ts'
import type { TlsSettings } from '#router/model/settings.ts'
import { get, ok } from '#test/support/app.ts'
import { certificateOf, fallbackCertificate } from '#test/support/certificates.ts'
import { defaultSettings, empty } from '#test/support/data-thread.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { type Stage, type StageOptions, setStage } from '#test/support/stage.ts'

failOnLeaks()

const own = fallbackCertificate()
const certificate = certificateOf('test/a')
const versions: readonly SecureVersion[] = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3']

function settingsOf(tls: Partial<TlsSettings>): StageOptions['settings'] {
  const settings = defaultSettings()
  return { tls: { ...settings.tls, ...tls } }
}

async function setTlsStage(tls: Partial<TlsSettings>, options: StageOptions = {}): Promise<Stage> {
  const stage = await setStage({
    route: { certificate: certificate.id },
    certificates: [own, certificate],
    settings: settingsOf(tls),
    ...options,
  })
  stage.app.serve(() => ok('hello'))
  return stage
}

function change(stage: Stage, tls: Partial<TlsSettings>): void {
  stage.thread.apply({ settings: defaultSettings(settingsOf(tls)), routes: empty })
}

function only(version: SecureVersion): ConnectionOptions {
  return { minVersion: version, maxVersion: version, ciphers: 'DEFAULT:@SECLEVEL=0' }
}

interface Visit {
  readonly resumed: boolean
  readonly session: Buffer
  readonly suite: string
}

/** One connection and one request; the session is what the server gave for the next visit. */
async function visit(stage: Stage, options: ConnectionOptions, session?: Buffer): Promise<Visit> {
  const client = await stage.connectTls({ ...options, session })
  let given: Buffer | undefined
  client.socket.on('session', (last: Buffer) => {
    given = last
  })
  client.send(get('a.example'))
  expect((await client.response()).status).toBe(200)
  const { name } = client.socket.getCipher()
  const resumed = client.socket.isSessionReused()
  const next = given ?? client.socket.getSession() ?? Buffer.alloc(0)
  await client[Symbol.asyncDispose]()
  return { resumed, session: next, suite: name }
}

describe('ssl.protocols', () => {
  const rows: [listed: string, spoken: SecureVersion[]][] = [
    ['TLSv1.2 TLSv1.3', ['TLSv1.2', 'TLSv1.3']],
    ['TLSv1.3', ['TLSv1.3']],
    ['TLSv1.2', ['TLSv1.2']],
    ['TLSv1 TLSv1.1 TLSv1.2', ['TLSv1', 'TLSv1.1', 'TLSv1.2']],
    ['SSLv3 TLSv1.1 TLSv1.3', ['TLSv1.1', 'TLSv1.2', 'TLSv1.3']],
  ]
  for (const [listed, spoken] of rows) {
    // With a certificate of its own, and with the default one.
    for (const servername of ['a.example', 'nobody.example']) {
      test(`§4 §16 "${listed}" for ${servername}`, async () => {
        await using stage = await setTlsStage({ protocols: listed.split(' ') })
        for (const version of versions) {
          const hand = stage.connectTls({ ...only(version), servername }).then(
            client => client.socket.getProtocol(),
            () => 'refused',
          )
          expect([version, await hand]).toEqual([version, spoken.includes(version) ? version : 'refused'])
        }
      })
    }
  }
})

describe('ssl.ciphers', () => {
  const chacha = 'ECDHE-ECDSA-CHACHA20-POLY1305'
  const gcm = 'ECDHE-ECDSA-AES128-GCM-SHA256'
  const rows: [name: string, ciphers: string | null, version: SecureVersion, offer: string, want: string][] = [
    ['the server decides', `${chacha}:${gcm}`, 'TLSv1.2', `${gcm}:${chacha}`, chacha],
    ['groups are flattened', `[${chacha}|${gcm}]`, 'TLSv1.2', `${gcm}:${chacha}`, chacha],
    ['unknown names do no harm', `RC4-FOO:${chacha}`, 'TLSv1.2', `${gcm}:${chacha}`, chacha],
    ['a list without what is offered', chacha, 'TLSv1.2', gcm, 'refused'],
    ['nothing usable: the library decides', 'RC4-FOO', 'TLSv1.2', gcm, gcm],
    ['TLS 1.3 has its own', chacha, 'TLSv1.3', 'TLS_AES_128_GCM_SHA256', 'TLS_AES_128_GCM_SHA256'],
    [
      'TLS 1.3 has its own, when listed',
      `TLS_CHACHA20_POLY1305_SHA256:${gcm}`,
      'TLSv1.3',
      'TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256',
      'TLS_CHACHA20_POLY1305_SHA256',
    ],
    ['a list of TLS 1.3 leaves 1.2 as it is', 'TLS_CHACHA20_POLY1305_SHA256', 'TLSv1.2', gcm, gcm],
  ]
  for (const [name, ciphers, version, offer, want] of rows) {
    for (const servername of ['a.example', 'nobody.example']) {
      test(`§16 ${name} (${servername})`, async () => {
        await using stage = await setTlsStage({ ciphers })
        const hand = stage.connectTls({ ...only(version), ciphers: offer, servername }).then(
          client => client.socket.getCipher().name,
          () => 'refused',
        )
        expect(await hand).toBe(want)
      })
    }
  }
})

describe('sessions', () => {
  const rows: [name: string, tls: Partial<TlsSettings>, resumes: SecureVersion[]][] = [
    ['tickets, which are the default', {}, ['TLSv1.2', 'TLSv1.3']],
    ['tickets and no cache', { sessionCache: 'off' }, ['TLSv1.2', 'TLSv1.3']],
    ['neither tickets nor a cache', { useSessionTickets: false }, []],
    ['no tickets and the cache off', { useSessionTickets: false, sessionCache: 'off' }, []],
    ['no tickets and a cache', { useSessionTickets: false, sessionCache: 'shared:SSL:1m' }, ['TLSv1.2']],
    ['both', { sessionCache: 'builtin' }, ['TLSv1.2', 'TLSv1.3']],
  ]
  for (const [name, tls, resumes] of rows) {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const want = resumes.includes(version)
      test(`§4 ${name}: ${version} ${want ? 'resumes' : 'does not resume'}`, async () => {
        await using stage = await setTlsStage(tls)
        const first = await visit(stage, only(version))
        const second = await visit(stage, only(version), first.session)
        expect([first.resumed, second.resumed]).toEqual([false, want])
      })
    }
  }

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    test(`§16 tickets of one thread count with another one that has the same keys (${version})`, async () => {
      await using here = await setTlsStage({})
      await using there = await setTlsStage({})
      await using elsewhere = await setTlsStage({}, { ticketKeys: Buffer.alloc(48, 'other') })
      const { session } = await visit(here, only(version))
      expect((await visit(there, only(version), session)).resumed).toBe(true)
      expect((await visit(elsewhere, only(version), session)).resumed).toBe(false)
    })

    test(`§16 tickets outlive changes of certificates and settings, and end with their keys (${version})`, async () => {
      await using stage = await setTlsStage({})
      const { session } = await visit(stage, only(version))
      const next = certificateOf('test/a')
      stage.thread.apply({ certificates: { upserts: [next, { ...certificateOf('own'), id: own.id }], deletes: [] } })
      expect((await visit(stage, only(version), session)).resumed).toBe(true)
      change(stage, { ciphers: 'HIGH' })
      expect((await visit(stage, only(version), session)).resumed).toBe(true)
      const keys = Buffer.alloc(48, 'next')
      stage.thread.message({ kind: 'ticket-keys', keys })
      expect((await visit(stage, only(version), session)).resumed).toBe(false)
      const later = await visit(stage, only(version))
      change(stage, { ciphers: null })
      expect((await visit(stage, only(version), later.session)).resumed).toBe(true)
    })

    for (const servername of ['a.example', 'nobody.example']) {
      test(`§16 new keys end no session while the old ones still read (${version}, ${servername})`, async () => {
        await using stage = await setTlsStage({})
        const way = { ...only(version), servername }
        const first = await visit(stage, way)
        const [old, next] = [Buffer.alloc(48, 'ticket'), Buffer.alloc(48, 'next')]
        // Told of before its time, it reads what other replicas make already.
        stage.thread.message({ kind: 'ticket-keys', keys: Buffer.concat([old, next]) })
        const second = await visit(stage, way, first.session)
        stage.thread.message({ kind: 'ticket-keys', keys: Buffer.concat([next, old]) })
        const third = await visit(stage, way, second.session)
        expect([second.resumed, third.resumed]).toEqual([true, true])
        stage.thread.message({ kind: 'ticket-keys', keys: next })
        // What was resumed under the new key came with a new ticket.
        expect((await visit(stage, way, third.session)).resumed).toBe(true)
        expect((await visit(stage, way, first.session)).resumed).toBe(false)
      })
    }
  }

  test('a session of another name is of no use without a ticket or a cache entry', async () => {
    await using stage = await setTlsStage({ useSessionTickets: false, sessionCache: 'shared:SSL:1m' })
    const first = await visit(stage, only('TLSv1.2'))
    change(stage, { useSessionTickets: false, sessionCache: 'off' })
    expect((await visit(stage, only('TLSv1.2'), first.session)).resumed).toBe(false)
    change(stage, { useSessionTickets: false, sessionCache: 'shared:SSL:1m' })
    // It was forgotten meanwhile.
    expect((await visit(stage, only('TLSv1.2'), first.session)).resumed).toBe(false)
  })
})

for (const sessionTimeout of [1500, 500, 1]) {
  test(`§4 ssl.sessionTimeout of ${sessionTimeout} ms does no harm`, async () => {
    await using stage = await setTlsStage({ sessionTimeout, sessionCache: 'shared:SSL:1m' })
    for (const servername of ['a.example', 'nobody.example'])
      expect((await visit(stage, { ...only('TLSv1.2'), servername })).resumed).toBe(false)
    expect(stage.thread.complaints()).toEqual([])
  })
}

describe('what the library refuses is left out, and said', () => {
  const weak = '-----BEGIN DH PARAMETERS-----\nMAYCAQcCAQI=\n-----END DH PARAMETERS-----\n'
  const rows: [name: string, tls: Partial<TlsSettings>, want: string][] = [
    ['ciphers', { ciphers: 'HIGH:!HIGH' }, 'the list of ciphers cannot be used'],
    ['ciphers beside old versions', { ciphers: 'HIGH:!HIGH', protocols: ['TLSv1.1', 'TLSv1.2'] }, 'the list of'],
    ['dhparam', { dhParameters: weak }, 'dhparam cannot be used'],
    ['both', { dhParameters: weak, ciphers: 'HIGH:!HIGH' }, 'the list of ciphers with dhparam cannot be used'],
  ]
  for (const [name, tls, want] of rows) {
    test(`§16 ${name}`, async () => {
      await using stage = await setTlsStage(tls)
      for (const servername of ['a.example', 'nobody.example'])
        expect((await stage.connectTls({ ...only('TLSv1.2'), servername })).socket.getProtocol()).toBe('TLSv1.2')
      expect(stage.thread.complaints()).toEqual([expect.stringContaining(want)])
    })
  }

  test('nothing helps: the last settings stay', async () => {
    await using stage = await setTlsStage({ protocols: ['TLSv1.3'] })
    // No annotation gives this; what there may be next is not known.
    change(stage, { sessionTimeout: Number.NaN, sessionCache: 'builtin', ciphers: 'HIGH' })
    for (const servername of ['a.example', 'nobody.example']) {
      expect((await stage.connectTls({ servername })).socket.getProtocol()).toBe('TLSv1.3')
      await expect(stage.connectTls({ ...only('TLSv1.2'), servername })).rejects.toThrow()
    }
    expect(stage.thread.complaints()).toEqual([expect.stringContaining('what was in force before stays')])
    change(stage, {})
    expect((await stage.connectTls(only('TLSv1.2'))).socket.getProtocol()).toBe('TLSv1.2')
  })
})

describe('a certificate that the settings refuse', () => {
  const { crt, key } = makePair('a.example', Date.UTC(2040, 0), 'rsa')
  const { fingerprint256 } = new X509Certificate(crt)
  const short: Certificate = { ...certificateOf('test/a'), chain: crt, key, fingerprint: fingerprint256 }
  const strict = { ciphers: 'HIGH:@SECLEVEL=3' }
  const shown = async (stage: Stage, servername: string): Promise<string | undefined> =>
    (await stage.connectTls({ servername })).socket.getPeerX509Certificate()?.fingerprint256

  test('§8 the default one is shown instead, and it is said once', async () => {
    await using stage = await setTlsStage(strict, { certificates: [own, short] })
    for (let i = 0; i < 3; i++) expect(await shown(stage, 'a.example')).toBe(own.fingerprint)
    expect(stage.thread.complaints()).toEqual([expect.stringContaining('a certificate cannot be used')])
    // A new one under the same name is tried anew.
    stage.thread.apply({ certificates: { upserts: [certificate], deletes: [] } })
    expect(await shown(stage, 'a.example')).toBe(certificate.fingerprint)
    stage.thread.apply({ certificates: { upserts: [short], deletes: [] } })
    expect(await shown(stage, 'a.example')).toBe(own.fingerprint)
    expect(stage.thread.complaints()).toHaveLength(2)
    change(stage, {})
    expect(await shown(stage, 'a.example')).toBe(short.fingerprint)
  })

  test("§8 the platform's own: ours is shown instead", async () => {
    const settings = { ...settingsOf(strict), platformCertificate: short.id }
    await using stage = await setTlsStage({}, { certificates: [own, short], settings })
    expect(await shown(stage, 'nobody.example')).toBe(own.fingerprint)
    expect(stage.thread.complaints()).toEqual(['the default certificate cannot be used'])
    stage.thread.apply({ settings: defaultSettings({ platformCertificate: short.id }) })
    expect(await shown(stage, 'nobody.example')).toBe(short.fingerprint)
    // Stricter settings are in force at once, whatever is shown then.
    const stricter = settingsOf({ ...strict, protocols: ['TLSv1.3'] })
    stage.thread.apply({ settings: defaultSettings({ ...stricter, platformCertificate: short.id }) })
    expect(await shown(stage, 'nobody.example')).toBe(own.fingerprint)
    await expect(stage.connectTls({ ...only('TLSv1.2'), servername: 'nobody.example' })).rejects.toThrow()
  })
})

test('§8 changed settings count for the next handshake; what is open goes on', async () => {
  await using stage = await setTlsStage({})
  const port = stage.thread.httpsPort
  const open = await stage.connectTls(only('TLSv1.2'))
  change(stage, { protocols: ['TLSv1.3'] })
  await expect(stage.connectTls(only('TLSv1.2'))).rejects.toThrow()
  expect((await stage.connectTls(only('TLSv1.3'))).socket.getProtocol()).toBe('TLSv1.3')
  open.send(get('a.example'))
  expect((await open.response()).status).toBe(200)
  change(stage, {})
  expect((await stage.connectTls(only('TLSv1.2'))).socket.getProtocol()).toBe('TLSv1.2')
  expect(stage.thread.httpsPort).toBe(port)
})

/** Lengths of the records of application data that a download comes in. */
async function recordsOf(stage: Stage): Promise<number[]> {
  const plain = connectPlain(stage.thread.httpsPort, '127.0.0.1')
  const wire: Buffer[] = []
  plain.on('data', (octets: Buffer) => wire.push(octets))
  const [near, far] = duplexPair()
  plain.pipe(far).pipe(plain)
  const tls = connectTls({ socket: near, servername: 'a.example', rejectUnauthorized: false, ...only('TLSv1.2') })
  await once(tls, 'secureConnect')
  tls.resume()
  tls.write(get('a.example', '/', 'Connection: close'))
  await once(plain, 'close')
  tls.destroy()
  const octets = Buffer.concat(wire)
  const lengths: number[] = []
  for (let at = 0; at + 5 <= octets.length; at += 5 + octets.readUInt16BE(at + 3)) {
    if (octets[at] === 23) lengths.push(octets.readUInt16BE(at + 3))
  }
  return lengths
}

test('§16 ssl.bufferSize bounds the records', async () => {
  await using stage = await setStage({ route: { certificate: certificate.id }, certificates: [own, certificate] })
  stage.app.serve(() => ok('x'.repeat(100_000)))
  // An explicit nonce and a tag stand beside what a record carries (RFC 5288 section 3).
  const overhead = 24
  for (const bufferSize of [4096, 1, 1_048_576]) {
    change(stage, { bufferSize })
    const size = Math.max(512, Math.min(bufferSize, 16_384))
    const lengths = await recordsOf(stage)
    expect(Math.max(...lengths)).toBe(size + overhead)
  }
})
