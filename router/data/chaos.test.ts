// Clients and apps that leave, stall and talk nonsense at any moment, all at once. Nobody minds what each of them gets;
// afterwards nothing is left open, everything has been logged and counted once, and the next request is served.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { appCounter, firstAppSlot, fixedSlot, rowOffset } from '#router/model/counters.ts'
import { App, get, ok } from '#test/support/app.ts'
import { fallbackCertificate } from '#test/support/certificates.ts'
import { routeTo, startDataThread, upstreamAt } from '#test/support/data-thread.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { connectTlsTo, connectTo, type Peer } from '#test/support/peer.ts'

failOnLeaks()

const host = 'Host: a.example\r\n'
/** What a client says, whole or not. */
const sayings = [
  get('a.example'),
  get('a.example').repeat(5),
  get('nobody.example').repeat(3),
  `GET /health HTTP/1.0\r\n${host}\r\n`,
  `HEAD / HTTP/1.1\r\n${host}\r\n`,
  `POST / HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nhello`,
  `POST / HTTP/1.1\r\n${host}Content-Length: 50000\r\n\r\n${'x'.repeat(20_000)}`,
  'y'.repeat(30_000),
  `PUT / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
  `PUT / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n5\r\nhel`,
  'lo\r\n0\r\n\r\n',
  `GET / HTTP/1.1\r\n${host}Connection: upgrade\r\nUpgrade: x\r\n\r\nearly`,
  `GET / HTTP/1.1\r\n${host}Connection: close\r\n\r\n`,
  'GET / HT',
  '\r\n',
  'nonsense\0\r\n\r\n',
]
/** What an app says to whatever it has heard. */
const answers = [
  ok('yes'),
  ok('yes'),
  ok('yes', 'Connection: close'),
  `${ok('yes')}and more`,
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel',
  'HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nsome',
  `HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n${'z'.repeat(300_000)}`,
  'HTTP/1.1 200 OK\r\n\r\nuntil the end',
  'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhi',
  'HTTP/1.1 103 Early Hints\r\n\r\n',
  'HTTP/1.1 204 No Content\r\n\r\n',
  'HTTP/1.1 304 Not Modified\r\n\r\n',
  'what?\r\n\r\n',
  '',
]

type Step =
  | { readonly kind: 'say'; readonly what: number }
  | { readonly kind: 'wait'; readonly rounds: number }
  | { readonly kind: 'pause' | 'resume' | 'end' | 'reset' }

const step = (sayings: number): fc.Arbitrary<Step> =>
  fc.oneof(
    { weight: 8, arbitrary: fc.record({ kind: fc.constant('say' as const), what: fc.nat(sayings - 1) }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('wait' as const), rounds: fc.nat(12) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constantFrom('pause' as const, 'resume' as const, 'end' as const, 'reset' as const),
      }),
    },
  )

async function play(peer: Peer, steps: readonly Step[], texts: readonly string[]): Promise<void> {
  for (const next of steps) {
    if (peer.socket.destroyed) return
    if (next.kind === 'say') {
      if (peer.socket.writable) void peer.send(texts[next.what] ?? '')
    } else if (next.kind === 'wait') {
      for (let i = 0; i < next.rounds; i++) await new Promise(resolve => setImmediate(resolve))
    } else if (next.kind === 'pause') peer.socket.pause()
    else if (next.kind === 'resume') peer.socket.resume()
    else peer[next.kind]()
  }
}

test('whatever clients and apps do to each other, nothing is left of it', async () => {
  const own = fallbackCertificate()
  await using one = await App.start()
  await using two = await App.start()
  await using thread = await startDataThread({
    routes: [routeTo('a.example', 'a', { certificate: own.id })],
    upstreams: [upstreamAt('a', one.port, two.port)],
    certificates: [own],
    settings: { requestIds: true },
  })
  const scripts = fc.sample(fc.array(step(answers.length), { minLength: 1, maxLength: 12 }), { seed: 5, numRuns: 400 })
  let turn = 0
  let over = false
  const playing: Promise<void>[] = []
  for (const app of [one, two]) {
    void (async () => {
      for (;;) {
        const peer = await app.connection()
        playing.push(over ? serve(peer) : play(peer, scripts[turn++ % scripts.length] ?? [], answers))
      }
    })()
  }
  const clients = fc.sample(fc.array(step(sayings.length), { minLength: 1, maxLength: 15 }), { seed: 6, numRuns: 300 })
  const peers: Peer[] = []
  for (const [i, steps] of clients.entries()) {
    const peer =
      i % 4 === 0 ? await connectTlsTo(thread.httpsPort, { servername: 'a.example' }) : await connectTo(thread.httpPort)
    peers.push(peer)
    playing.push(play(peer, steps, sayings))
    // Now and then all who wait for something have waited too long.
    if (i % 50 === 49) await thread.elapse(61_000)
  }
  await thread.settle()
  for (let i = 0; i < 4; i++) await thread.elapse(61_000)
  for (const peer of peers) await peer[Symbol.asyncDispose]()
  await thread.opens({ http: 0, https: 0, tunnels: 0, upstream: 0, upstreamIdle: 0 })
  await Promise.all(playing)

  // Every exchange is logged once and counted once.
  await thread.elapse(0)
  let counted = 0
  for (const slot of [fixedSlot.defaultVhost, fixedSlot.rejected, firstAppSlot]) {
    for (let i = 0; i < 5; i++) counted += thread.counters[rowOffset(slot) + appCounter.status + i]!
  }
  expect(thread.logs()).toHaveLength(counted)
  expect(counted).toBeGreaterThan(300)

  // Nothing in flight is remembered of either endpoint: they take turns.
  over = true
  const before = [one.accepted, two.accepted]
  const client = await connectTo(thread.httpPort)
  for (let i = 0; i < 6; i++) {
    client.send(get('a.example', '/', 'X: 1'))
    expect((await client.response()).status).toBe(200)
  }
  await client[Symbol.asyncDispose]()
  expect([one.accepted - before[0]!, two.accepted - before[1]!]).toEqual([3, 3])
})

async function serve(peer: Peer): Promise<void> {
  await peer.request()
  await peer.send(ok('yes', 'Connection: close'))
  peer.end()
}
