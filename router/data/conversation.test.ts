// Whole conversations made up at random, cut into segments at random: whatever comes pipelined, in whatever framing, over
// TLS or not, every request reaches its app whole and once, and every answer its client, in order.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { get } from '#test/support/app.ts'
import { fallbackCertificate } from '#test/support/certificates.ts'
import { routeTo } from '#test/support/data-thread.ts'
import { fieldValue } from '#test/support/http-message.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { connectTlsTo, connectTo, type Peer } from '#test/support/peer.ts'
import { setStage } from '#test/support/stage.ts'

failOnLeaks()

type Framing = 'length' | 'chunks' | 'close'

interface Turn {
  readonly kind: 'app' | 'nobody'
  readonly method: 'GET' | 'POST' | 'PUT' | 'HEAD' | 'DELETE'
  readonly up: 'none' | 'length' | 'chunks'
  readonly upSize: number
  readonly down: Framing
  readonly downSize: number
  readonly interims: number
}

const size = fc.oneof(
  fc.constantFrom(0, 1, 15, 16),
  fc.nat(300),
  fc.nat(30_000),
  fc.integer({ min: 60_000, max: 300_000 }),
)
const turn: fc.Arbitrary<Turn> = fc.record({
  kind: fc.constantFrom('app', 'app', 'app', 'nobody'),
  method: fc.constantFrom('GET', 'POST', 'PUT', 'HEAD', 'DELETE'),
  up: fc.constantFrom('none', 'length', 'chunks'),
  upSize: size,
  down: fc.constantFrom<Framing>('length', 'length', 'chunks', 'close'),
  downSize: size,
  interims: fc.constantFrom(0, 0, 0, 1, 3),
})

/** A body that tells which one it is and which of its octets stands where. */
function bodyOf(name: string, length: number): string {
  return `${name};`.repeat(Math.ceil(length / (name.length + 1))).slice(0, length)
}

function chunked(body: string): string {
  let octets = ''
  for (let at = 0, step = 1; at < body.length; at += step, step = (step * 3) % 9_973) {
    const chunk = body.slice(at, at + step)
    octets += `${chunk.length.toString(16)}\r\n${chunk}\r\n`
  }
  return `${octets}0\r\nX-Sum: ${body.length}\r\n\r\n`
}

function requestOf({ kind, method, up, upSize, down, downSize, interims }: Turn, index: number): string {
  const head = `${method} /${index}/${down}/${downSize}/${interims} HTTP/1.1\r\nHost: ${kind}.example\r\n`
  // A request that nobody takes has no body, as the answer need not wait for it and would then be the last.
  if (up === 'none' || kind === 'nobody') return `${head}\r\n`
  const body = bodyOf(`up ${index}`, upSize)
  if (up === 'chunks') return `${head}Transfer-Encoding: chunked\r\n\r\n${chunked(body)}`
  return `${head}Content-Length: ${body.length}\r\n\r\n${body}`
}

/** Answers as the target says. */
async function answer(app: Peer, received: string[]): Promise<void> {
  for (;;) {
    const request = await app.request().catch(() => null)
    if (request === null) break
    const [, index = '', framing = '', length = '', interims = ''] = request.target.split('/')
    received.push(
      `${index} ${request.method} ${request.body.length} ${request.body.toString() === bodyOf(`up ${index}`, request.body.length)}`,
    )
    const body = bodyOf(`down ${index}`, Number(length))
    const isHead = request.method === 'HEAD'
    let octets = `HTTP/1.1 103 Early Hints\r\nX-Turn: ${index}\r\n\r\n`.repeat(Number(interims))
    octets += 'HTTP/1.1 200 OK\r\n'
    if (framing === 'length') octets += `Content-Length: ${body.length}\r\n\r\n${isHead ? '' : body}`
    else if (framing === 'chunks') octets += `Transfer-Encoding: chunked\r\n\r\n${isHead ? '' : chunked(body)}`
    else octets += `Connection: close\r\n\r\n${isHead ? '' : body}`
    app.send(octets)
    if (framing === 'close') break
  }
  app.end()
}

async function converse(
  client: Peer,
  turns: readonly Turn[],
  cuts: readonly number[],
  settle: () => Promise<void>,
): Promise<void> {
  const octets = turns.map(requestOf).join('')
  const sending = (async () => {
    let at = 0
    for (const cut of cuts) {
      if (at >= octets.length) break
      await client.send(octets.slice(at, at + cut))
      at += cut
      if (cut % 3 === 0) await settle()
    }
    if (at < octets.length) await client.send(octets.slice(at))
  })()
  for (const [index, { kind, method, downSize, interims }] of turns.entries()) {
    if (kind === 'nobody') {
      expect((await client.response(method)).status).toBe(404)
      continue
    }
    for (let i = 0; i < interims; i++) expect(fieldValue(await client.head(), 'x-turn')).toBe(String(index))
    const response = await client.response(method)
    expect(response.status).toBe(200)
    expect(response.body.toString() === bodyOf(`down ${index}`, method === 'HEAD' ? 0 : downSize)).toBe(true)
  }
  await sending
}

test('random conversations come through', async () => {
  const own = fallbackCertificate()
  await using stage = await setStage({
    routes: [routeTo('app.example', 'a', { certificate: own.id })],
    certificates: [own],
  })
  const received: string[] = []
  void (async () => {
    for (;;) void answer(await stage.app.connection(), received)
  })()
  await fc.assert(
    fc.asyncProperty(
      fc.array(turn, { minLength: 1, maxLength: 12 }),
      fc.array(fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 60_000 })), { maxLength: 60 }),
      fc.boolean(),
      async (turns, cuts, secure) => {
        received.length = 0
        await using client = secure
          ? await connectTlsTo(stage.thread.httpsPort, { servername: 'app.example' })
          : await connectTo(stage.thread.httpPort)
        await converse(client, turns, cuts, () => stage.thread.settle())
        // A body that goes to nobody is never seen by an app; all others are, once each and in order.
        const want = turns.flatMap(({ kind, method, up, upSize }, index) =>
          kind === 'nobody' ? [] : [`${index} ${method} ${up === 'none' ? 0 : upSize} true`],
        )
        expect(received).toEqual(want)
        // The connection is as good as new.
        client.send(get('nobody.example'))
        expect((await client.response()).status).toBe(404)
      },
    ),
    { numRuns: 80, seed: 20_260_101 },
  )
})
