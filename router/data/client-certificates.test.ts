// Client certificates as apps and clients meet them: who is asked, who gets in, what the app is told, and that no session or
// connection of before is a way around it. Some of it pins what this Node does with sessions and sockets.

import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { connect as connectPlain } from 'node:net'
import { duplexPair } from 'node:stream'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { makeSigned, type Pair } from '#router/control/testdata/make-certificate.ts'
import type { Authorities, AuthoritiesId } from '#router/model/authorities.ts'
import type { Policy, RouteId } from '#router/model/route.ts'
import { get, ok } from '#test/support/app.ts'
import { certificateOf, fallbackCertificate } from '#test/support/certificates.ts'
import { defaultSettings, empty, routeTo } from '#test/support/data-thread.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { connectTlsTo } from '#test/support/peer.ts'
import { type Stage, type StageOptions, setStage } from '#test/support/stage.ts'

failOnLeaks()

const own = fallbackCertificate()
const certificates = [own, certificateOf('test/a'), certificateOf('test/b'), certificateOf('test/open')]

function authority(name: string): { readonly pair: Pair; readonly authorities: Authorities } {
  const pair = makeSigned(name, null)
  return { pair, authorities: { id: name.padEnd(64, '0') as AuthoritiesId, chain: pair.crt } }
}

const staff = authority('staff')
const guests = authority('guests')

function clientOf({ pair }: typeof staff, name: string, issuer: string, notAfter?: number): ConnectionOptions {
  const { crt, key } = makeSigned(name, { name: issuer, key: pair.key }, notAfter)
  return { cert: crt, key }
}

const alice = clientOf(staff, 'alice', 'staff')
const gast = clientOf(guests, 'gast', 'guests')
const late = clientOf(staff, 'late', 'staff', Date.now() - 60_000)

function asks(of: Partial<Extract<Policy, { kind: 'client-certificate' }>> = {}): readonly Policy[] {
  return [{ kind: 'client-certificate', authorities: staff.authorities.id, required: true, passToApp: false, ...of }]
}

const a = { certificate: certificates[1]!.id }

/** `a.example` asks staff, `b.example` guests, `maybe.example` staff if they like, `open.example` nobody. */
async function setGuardedStage(options: StageOptions = {}): Promise<Stage> {
  const stage = await setStage({
    route: { ...a, policies: asks({ passToApp: true }) },
    routes: [
      routeTo('b.example', 'a', { certificate: certificates[2]!.id }, asks({ authorities: guests.authorities.id })),
      routeTo('maybe.example', 'a', a, asks({ required: false, passToApp: true })),
      routeTo('closed.example', 'a', a, asks({ authorities: null })),
      routeTo('open.example', 'a', { certificate: certificates[3]!.id }),
    ],
    certificates,
    authorities: [staff.authorities, guests.authorities],
    ...options,
  })
  stage.app.serve(({ fields }) =>
    ok(
      fields
        .filter(({ name }) => /^x.client/i.test(name))
        .map(({ name, value }) => `${name}: ${value}`)
        .join('\n'),
    ),
  )
  return stage
}

interface Visit {
  readonly status: number
  readonly told: string
  readonly resumed: boolean
  readonly session: Buffer
}

async function visit(
  stage: Stage,
  servername: string,
  options: ConnectionOptions = {},
  request?: string,
): Promise<Visit> {
  const client = await stage.connectTls({ servername, ...options })
  let given: Buffer | undefined
  client.socket.on('session', (last: Buffer) => {
    given = last
  })
  client.send(request ?? get(servername))
  const { status, body } = await client.response()
  const session = given ?? client.socket.getSession()!
  return { status, told: body.toString(), resumed: client.socket.isSessionReused(), session: unbound(session) }
}

/** A session that Node's client offers to any server: it would keep it for the name that it comes from. */
function unbound(session: Buffer): Buffer {
  const prefix = Buffer.from('\0nodejs:tls:session:1\0')
  if (!session.subarray(0, prefix.length).equals(prefix)) return session
  return session.subarray(prefix.length + 2 + session.readUInt16BE(prefix.length))
}

const rows: readonly (readonly [name: string, host: string, client: ConnectionOptions, status: number])[] = [
  ['a certificate that staff signed', 'a.example', alice, 200],
  ['in capitals, with a dot', 'A.EXAMPLE', alice, 200],
  ['none', 'a.example', {}, 400],
  ['one that guests signed', 'a.example', gast, 400],
  ['one that nobody signed', 'a.example', { cert: own.chain, key: own.key }, 400],
  ['one that has expired', 'a.example', late, 400],
  ['for another app another one', 'b.example', gast, 200],
  ['for another app that of staff', 'b.example', alice, 400],
  ['none, where none is required', 'maybe.example', {}, 200],
  ['a good one, where none is required', 'maybe.example', alice, 200],
  ['a bad one, where none is required', 'maybe.example', gast, 400],
  ['no authorities: nobody', 'closed.example', alice, 403],
  ['a host that asks nobody', 'open.example', alice, 200],
]
for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  for (const [name, host, client, status] of rows) {
    test(`${name}: ${status} (${version})`, async () => {
      await using stage = await setGuardedStage()
      const options = { ...client, minVersion: version, maxVersion: version }
      expect((await visit(stage, host, options)).status).toBe(status)
      const refused = status === 200 ? 0 : 1
      expect(stage.thread.count('clientCertificatesRefused')).toBe(refused)
      expect(stage.thread.count('forbidden')).toBe(0)
      expect(stage.app.accepted).toBe(1 - refused)
    })
  }
}

describe('what the app is told', () => {
  const forged = [
    'X-Client-Cert-Verified: SUCCESS',
    'x-client-cert-subject: CN=root',
    'X_Client_Cert_Verified: SUCCESS',
    'X-CLIENT_CERT-FINGERPRINT: 00',
    'X-Client-Cert-Anything: 1',
    'X-Client-Certificate: of another kind',
  ].join('\r\n')

  test('who it is, and nothing that the client says itself', async () => {
    await using stage = await setGuardedStage()
    const { told } = await visit(stage, 'a.example', alice, get('a.example', '/', forged))
    expect(told.split('\n')).toEqual([
      'X-Client-Certificate: of another kind',
      'X-Client-Cert-Verified: SUCCESS',
      'X-Client-Cert-Subject: CN=alice',
      'X-Client-Cert-Issuer: CN=staff',
      expect.stringMatching(/^X-Client-Cert-Fingerprint: [0-9A-F]{2}(:[0-9A-F]{2}){31}$/),
    ])
  })

  for (const [name, host, client, want] of [
    ['that there was none', 'maybe.example', {}, 'X-Client-Cert-Verified: NONE'],
    ['nothing unless it asks for it', 'b.example', gast, ''],
  ] as const) {
    test(name, async () => {
      await using stage = await setGuardedStage()
      const { told } = await visit(stage, host, client, get(host, '/', forged))
      expect(told).toBe(['X-Client-Certificate: of another kind', want].filter(line => line !== '').join('\n'))
    })
  }

  test('an app that asks nobody gets what clients say, as ever', async () => {
    await using stage = await setGuardedStage()
    const { told } = await visit(stage, 'open.example', {}, get('open.example', '/', forged))
    expect(told.split('\n')).toHaveLength(6)
  })

  test('a name with all that could end a field, or begin one', async () => {
    await using stage = await setGuardedStage()
    const client = clientOf(staff, 'Zoë, "x"\r\nX-Client-Cert-Verified: no', 'staff')
    const { told } = await visit(stage, 'a.example', client)
    expect(told.split('\n')[1]).toBe(
      'X-Client-Cert-Subject: CN=Zo\\C3\\AB\\, \\"x\\"\\0D\\0AX-Client-Cert-Verified: no',
    )
    expect(told.split('\n')).toHaveLength(4)
  })
})

/** Types of the messages of the server's handshake, which TLS 1.2 sends in the clear, up to ServerHelloDone. */
async function messagesFor(stage: Stage, servername: string): Promise<readonly number[]> {
  const plain = connectPlain(stage.thread.httpsPort, '127.0.0.1')
  const wire: Buffer[] = []
  plain.on('data', (octets: Buffer) => wire.push(octets))
  const [near, far] = duplexPair()
  plain.pipe(far).pipe(plain)
  const client = connectTls({ socket: near, servername, rejectUnauthorized: false, maxVersion: 'TLSv1.2' })
  await once(client, 'secureConnect')
  client.destroy()
  plain.destroy()
  const octets = Buffer.concat(wire)
  const messages: Buffer[] = []
  for (let at = 0; at + 5 <= octets.length && octets[at] === 22; at += 5 + octets.readUInt16BE(at + 3))
    messages.push(octets.subarray(at + 5, at + 5 + octets.readUInt16BE(at + 3)))
  const joined = Buffer.concat(messages)
  const types: number[] = []
  for (let at = 0; at < joined.length && types.at(-1) !== 14; at += 4 + joined.readUIntBE(at + 1, 3))
    types.push(joined[at]!)
  return types
}

const certificateRequest = 13

for (const [host, asked] of [
  ['a.example', true],
  ['maybe.example', true],
  ['open.example', false],
  ['closed.example', false],
  ['nobody.example', false],
  ['', false],
] as const) {
  test(`clients of "${host}" are ${asked ? '' : 'not '}asked for a certificate`, async () => {
    await using stage = await setGuardedStage()
    const messages = await messagesFor(stage, host)
    expect(messages.at(-1)).toBe(14)
    expect(messages.includes(certificateRequest)).toBe(asked)
  })
}

describe('no way around', () => {
  for (const [name, servername, host, client] of [
    ['a handshake for a host that asks nobody', 'open.example', 'a.example', alice],
    ['a handshake for a host that asks others', 'b.example', 'a.example', gast],
    ['a handshake for a host with the same authorities', 'maybe.example', 'a.example', alice],
    ['a handshake without a name', '', 'a.example', alice],
  ] as const) {
    test(`${name}: 421`, async () => {
      await using stage = await setGuardedStage()
      const { status } = await visit(stage, servername, client, get(host))
      expect([status, stage.app.accepted]).toEqual([421, 0])
    })
  }

  test('a connection for this host may ask for others that ask nobody', async () => {
    await using stage = await setGuardedStage()
    expect((await visit(stage, 'a.example', {}, get('open.example'))).status).toBe(200)
  })

  test('plain HTTP: 403, whatever a proxy says', async () => {
    await using stage = await setGuardedStage()
    const client = await stage.connect()
    client.send(get('a.example', '/', 'X-Forwarded-Proto: https'))
    expect((await client.response()).status).toBe(403)
    await client.ended()
  })

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const way = { minVersion: version, maxVersion: version }

    test(`a session of this host goes on, and its client is known still (${version})`, async () => {
      await using stage = await setGuardedStage()
      const first = await visit(stage, 'a.example', { ...way, ...alice })
      // The certificate is in the ticket: the client shows none again.
      const second = await visit(stage, 'a.example', { ...way, session: first.session })
      expect([second.resumed, second.status]).toEqual([true, 200])
      expect(second.told).toBe(first.told)
    })

    test(`a session without a certificate stays one without (${version})`, async () => {
      await using stage = await setGuardedStage()
      const first = await visit(stage, 'maybe.example', way)
      const second = await visit(stage, 'a.example', { ...way, session: first.session })
      expect(second.status).toBe(400)
    })

    for (const from of ['open.example', 'b.example', 'nobody.example']) {
      test(`a session of ${from} is none here (${version})`, async () => {
        await using stage = await setGuardedStage()
        const client = from === 'b.example' ? gast : alice
        const first = await visit(stage, from, { ...way, ...client })
        // As a check of the test: where it comes from it is one.
        expect((await visit(stage, from, { ...way, session: first.session })).resumed).toBe(true)
        const second = await visit(stage, 'a.example', { ...way, session: first.session })
        expect([second.resumed, second.status]).toEqual([false, 400])
      })
    }

    test(`a session of here is none where nobody is asked (${version})`, async () => {
      await using stage = await setGuardedStage()
      const first = await visit(stage, 'a.example', { ...way, ...alice })
      const second = await visit(stage, 'open.example', { ...way, session: first.session })
      expect([second.resumed, second.status]).toEqual([false, 200])
    })

    test(`when the authorities change, sessions and connections of before count no more (${version})`, async () => {
      await using stage = await setGuardedStage()
      const first = await visit(stage, 'a.example', { ...way, ...alice })
      const open = await stage.connectTls({ ...way, ...alice })
      open.send(get('a.example'))
      expect((await open.response()).status).toBe(200)
      const next = { ...authority('staff').authorities, id: 'next'.padEnd(64, '0') as AuthoritiesId }
      const route = routeTo('a.example', 'a', { ...a, policies: asks({ authorities: next.id }) })
      stage.thread.apply({
        routes: { upserts: [route], deletes: [] },
        authorities: { upserts: [next], deletes: [] },
      })
      open.send(get('a.example'))
      expect((await open.response()).status).toBe(421)
      await open.ended()
      const second = await visit(stage, 'a.example', { ...way, session: first.session })
      expect([second.resumed, second.status]).toEqual([false, 400])
      expect((await visit(stage, 'a.example', { ...way, ...alice })).status).toBe(400)
    })

    test(`a session goes on with another thread that has the same keys, and outlives new ones (${version})`, async () => {
      await using here = await setGuardedStage()
      await using there = await setGuardedStage()
      const first = await visit(here, 'a.example', { ...way, ...alice })
      const [old, next] = [Buffer.alloc(48, 'ticket'), Buffer.alloc(48, 'next')]
      there.thread.message({ kind: 'ticket-keys', keys: Buffer.concat([next, old]) })
      const second = await visit(there, 'a.example', { ...way, session: first.session })
      expect([second.resumed, second.status]).toEqual([true, 200])
      there.thread.message({ kind: 'ticket-keys', keys: next })
      expect((await visit(there, 'a.example', { ...way, session: first.session })).resumed).toBe(false)
    })
  }

  test('authorities that are deleted let nobody in, also not by a handshake that is under way', async () => {
    await using stage = await setGuardedStage()
    const open = await stage.connectTls(alice)
    const route = routeTo('a.example', 'a', { ...a, policies: asks({ authorities: null }) })
    stage.thread.apply({
      routes: { upserts: [route], deletes: ['service/test/a/maybe.example' as RouteId] },
      authorities: { upserts: [], deletes: [staff.authorities.id] },
    })
    open.send(get('a.example'))
    expect((await open.response()).status).toBe(403)
    expect((await visit(stage, 'a.example', alice)).status).toBe(403)
  })

  test('a route whose authorities have not come is for nobody', async () => {
    await using stage = await setGuardedStage({ authorities: [] })
    expect((await visit(stage, 'a.example', alice)).status).toBe(421)
    expect((await visit(stage, 'maybe.example', {})).status).toBe(421)
  })
})

test('versions and suites of the router are in force here too, and follow its settings', async () => {
  await using stage = await setGuardedStage()
  const old: ConnectionOptions = { servername: 'a.example', ...alice, maxVersion: 'TLSv1.2' }
  const suite = (await stage.connectTls(old)).socket.getCipher().name
  const { tls } = defaultSettings()
  const ciphers =
    suite === 'ECDHE-ECDSA-AES128-GCM-SHA256' ? 'ECDHE-ECDSA-AES256-GCM-SHA384' : 'ECDHE-ECDSA-AES128-GCM-SHA256'
  stage.thread.apply({ settings: defaultSettings({ tls: { ...tls, ciphers } }) })
  expect((await stage.connectTls(old)).socket.getCipher().name).toBe(ciphers)
  stage.thread.apply({ settings: defaultSettings({ tls: { ...tls, protocols: ['TLSv1.3'] } }) })
  await expect(stage.connectTls(old)).rejects.toThrow()
  expect((await visit(stage, 'a.example', alice)).status).toBe(200)
})

test('HTTP/2: each stream is a request of its own', async () => {
  await using stage = await setGuardedStage()
  const origin = `https://127.0.0.1:${stage.thread.httpsPort}`
  const session = connectHttp2(origin, { ...alice, servername: 'a.example', rejectUnauthorized: false })
  const ask = async (authority: string): Promise<number> => {
    const stream = session.request({ ':authority': authority, ':path': '/' })
    const [{ ':status': status }] = (await once(stream, 'response')) as [{ ':status': number }]
    stream.resume()
    await once(stream, 'close')
    return status
  }
  expect(await ask('a.example')).toBe(200)
  expect(await ask('open.example')).toBe(200)
  expect(await ask('maybe.example')).toBe(421)
  session.destroy()
})

describe('the first message of a handshake', () => {
  test('in pieces, behind a PROXY header', async () => {
    await using stage = await setGuardedStage({ settings: { useProxyProtocol: true } })
    await using client = await connectTlsTo(
      stage.thread.httpsPort,
      { servername: 'a.example', ...alice },
      { first: 'PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n' },
    )
    client.send(get('a.example'))
    expect((await client.response()).status).toBe(200)
  })

  test('an octet at a time', async () => {
    await using stage = await setGuardedStage()
    const plain = connectPlain({ port: stage.thread.httpsPort, host: '127.0.0.1', noDelay: true })
    await once(plain, 'connect')
    const [near, far] = duplexPair()
    const client = connectTls({ socket: near, servername: 'a.example', rejectUnauthorized: false, ...alice })
    const [hello] = (await once(far, 'data')) as [Buffer]
    for (const octet of hello) {
      plain.write(Buffer.from([octet]))
      await stage.thread.settle()
    }
    far.pipe(plain).pipe(far)
    await once(client, 'secureConnect')
    client.write(get('a.example'))
    const [octets] = (await once(client, 'data')) as [Buffer]
    expect(octets.toString('latin1')).toMatch(/^HTTP\/1\.1 200 /)
    client.destroy()
    plain.destroy()
  })

  test('that never comes is waited for ten seconds, and counted', async () => {
    await using stage = await setGuardedStage()
    const plain = connectPlain(stage.thread.httpsPort, '127.0.0.1')
    plain.on('error', () => {})
    await once(plain, 'connect')
    plain.write(Buffer.from([22, 3, 1, 2]))
    await stage.thread.settle()
    await stage.thread.elapse(10_200)
    plain.resume()
    await once(plain, 'close')
    expect(stage.thread.count('tlsHandshakeErrors')).toBe(1)
  })

  test('is something else: answered as ever', async () => {
    await using stage = await setGuardedStage()
    const plain = connectPlain(stage.thread.httpsPort, '127.0.0.1')
    plain.write(get('a.example'))
    const [octets] = (await once(plain, 'data')) as [Buffer]
    expect(octets.toString('latin1')).toMatch(/^HTTP\/1\.1 400 /)
    plain.destroy()
  })
})

test('apps without a certificate of their own: the default one is shown, and the client is asked', async () => {
  const route = { https: true, policies: asks() }
  await using stage = await setGuardedStage({ route, routes: [] })
  expect((await visit(stage, 'a.example', alice)).status).toBe(200)
  expect((await visit(stage, 'a.example')).status).toBe(400)
  stage.thread.apply({ routes: empty })
})
