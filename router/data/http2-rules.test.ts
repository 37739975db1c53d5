// What a client that breaks the rules of HTTP/2, or stretches them, gets. What the RFC asks of servers frame by frame is
// proven by h2spec (test/conformance); here is what it leaves to us.

import { describe, expect, test } from 'vitest'
import { ok } from '#test/support/app.ts'
import { certificateOf } from '#test/support/certificates.ts'
import { FramePeer } from '#test/support/frame-peer.ts'
import { attacks } from '#test/support/http2-attacks.ts'
import { block, frame, numbers, pair, request } from '#test/support/http2-frames.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { type Stage, type StageOptions, setStage } from '#test/support/stage.ts'
import { errorCode, flag, frameType, preface, setting } from './h2/frames.ts'

failOnLeaks()

const certificate = certificateOf('test/a')
const host = 'a.example'
const whole = flag.endHeaders | flag.endStream

function setHttp2Stage(options: StageOptions = {}): Promise<Stage> {
  return setStage({ route: { certificate: certificate.id }, certificates: [certificate], ...options })
}

function open(stage: Stage, ...settings: readonly Buffer[]): Promise<FramePeer> {
  return FramePeer.open(stage.thread.httpsPort, host, ...settings)
}

describe('attacks end the connection, and nothing of them stays', () => {
  for (const attack of attacks) {
    test(attack.name, async () => {
      await using stage = await setHttp2Stage()
      const large = ok('x'.repeat(attack.answers ?? 0))
      stage.app.serve(({ target }) => (target === '/large' ? large : ok('x')))
      await using peer = await open(stage, ...(attack.settings ?? []))
      await attack.run(peer, host)
      if (attack.patient === true)
        for (let i = 0; i < 3 && !peer.isClosed; i++) {
          await stage.thread.stalled(() => stage.thread.count('upstreamOpen'))
          await stage.thread.elapse(4_000)
        }
      await peer.closed()
      await stage.thread.opens({ https: 0, upstream: stage.thread.open().upstreamIdle })
      expect(stage.thread.count('requestsOpen')).toBe(0)
    })
  }

  test('who goes on behind the bound is told to calm down, and the log says why', async () => {
    await using stage = await setHttp2Stage()
    await using peer = await open(stage)
    await attacks.find(({ name }) => name.startsWith('PING'))!.run(peer, host)
    expect(await peer.goAway()).toBe(errorCode.enhanceYourCalm)
    expect(stage.thread.count('http2Offences')).toBe(1)
    expect(stage.thread.complaints()).toEqual(['an HTTP/2 client was closed for what it did'])
  })
})

describe('within the bounds', () => {
  test('a client that cancels many of its requests, and lets more be answered, goes on', async () => {
    await using stage = await setHttp2Stage()
    stage.app.serve(() => ok('x'))
    await using peer = await open(stage)
    for (let n = 0; n < 600; n++) {
      const stream = 2 * n + 1
      if (n % 5 < 2) {
        peer.send(frame(frameType.headers, flag.endHeaders, stream, request(host, 'POST')))
        peer.send(frame(frameType.rstStream, 0, stream, numbers(errorCode.cancel)))
      } else {
        peer.get(stream, host)
        await peer.find(one => one.stream === stream && (one.flags & flag.endStream) !== 0)
      }
    }
    expect(peer.isClosed).toBe(false)
    expect(stage.thread.count('http2Offences')).toBe(0)
  })

  test('a stream beyond the limit may be tried again', async () => {
    await using stage = await setHttp2Stage()
    await using peer = await open(stage)
    for (let n = 0; n < 129; n++) peer.send(frame(frameType.headers, flag.endHeaders, 2 * n + 1, request(host, 'POST')))
    expect(await peer.resetCode(257)).toBe(errorCode.refusedStream)
    expect(peer.isClosed).toBe(false)
  })
})

const slow: [name: string, first: (peer: FramePeer) => void][] = [
  ['nothing behind the handshake', () => {}],
  ['half a preface', peer => void peer.send(Buffer.from('PRI * HTTP'))],
  ['no SETTINGS', peer => void peer.send(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'))],
]
for (const [name, first] of slow) {
  test(`a client that is slow to begin is closed: ${name}`, async () => {
    await using stage = await setHttp2Stage()
    await using peer = await FramePeer.silent(stage.thread.httpsPort, host)
    first(peer)
    await stage.thread.opens({ https: 1 })
    await stage.thread.elapse(4_200)
    await peer.closed()
  })
}

test('a preface that comes octet by octet buys no time', async () => {
  await using stage = await setHttp2Stage()
  await using peer = await FramePeer.silent(stage.thread.httpsPort, host)
  await stage.thread.opens({ https: 1 })
  // Twice as long as a client may take, had it all come.
  for (const octet of preface) {
    if (peer.isClosed) break
    peer.send(Buffer.of(octet))
    await stage.thread.elapse(350)
  }
  await peer.closed()
})

test('a window that the client lowers below what is under way is kept to', async () => {
  await using stage = await setHttp2Stage()
  stage.app.serve(() => ok('x'.repeat(100)))
  await using peer = await open(stage, pair(setting.initialWindowSize, 60))
  peer.get(1, host)
  const first = await peer.find(({ type }) => type === frameType.data)
  expect(first?.payload).toHaveLength(60)
  // Sixty are sent already: the window is now at minus fifty.
  peer.send(frame(frameType.settings, 0, 0, pair(setting.initialWindowSize, 10)))
  peer.send(frame(frameType.windowUpdate, 0, 1, numbers(50)))
  peer.send(frame(frameType.ping, 0, 0, '12345678'))
  await peer.find(({ type, flags }) => type === frameType.ping && flags === flag.ack)
  expect(peer.frames.filter(({ type }) => type === frameType.data)).toHaveLength(1)
  peer.send(frame(frameType.windowUpdate, 0, 1, numbers(40)))
  const last = await peer.find(({ type, flags }) => type === frameType.data && (flags & flag.endStream) !== 0)
  expect(last?.payload).toHaveLength(40)
})

test('a request that comes behind the last GOAWAY is not served, and breaks nothing', async () => {
  await using stage = await setHttp2Stage()
  await using peer = await open(stage)
  peer.get(1, host)
  const app = await stage.app.connection()
  await app.request()
  const stopped = stage.thread.stop(2_000)
  await peer.find(({ type }) => type === frameType.goAway)
  expect(await peer.goAway()).toBe(errorCode.noError)
  peer.send(frame(frameType.headers, flag.endHeaders, 3, request(host, 'POST')))
  peer.send(frame(frameType.data, flag.endStream, 3, 'body'), frame(frameType.windowUpdate, 0, 3, numbers(5)))
  await app.send(ok('last'))
  const answer = await peer.find(({ type, stream }) => type === frameType.data && stream === 1)
  expect(answer?.payload.toString()).toBe('last')
  await peer.closed()
  expect(peer.frames.some(({ stream }) => stream === 3)).toBe(false)
  expect(await stopped).toBe(0)
})

test('a malformed request is answered 400, logged, and its stream reset', async () => {
  await using stage = await setHttp2Stage()
  await using peer = await open(stage)
  peer.send(frame(frameType.headers, whole, 1, block([':method', 'GET'])))
  expect(await peer.resetCode(1)).toBe(errorCode.protocolError)
  const data = await peer.find(({ type }) => type === frameType.data)
  expect(data?.payload.toString()).toContain('400 Bad Request')
  expect((await stage.thread.logged(1))[0]).toContain(' - 400 - ')
})
