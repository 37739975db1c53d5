import { setImmediate as nextTurn } from 'node:timers/promises'
import { brotliDecompressSync, constants, createGzip, gunzipSync, zstdDecompressSync } from 'node:zlib'
import fc from 'fast-check'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Coding } from './accept.ts'
import { Encoder, type EncoderSink } from './encoder.ts'
import { encodersInUse } from './encoder-budget.ts'
import { Engine, engineOctets, enginesAvailable } from './engine.ts'

const codings = ['gzip', 'br', 'zstd'] as const
const usual = { gzip: 5, br: 4, zstd: 3 } as const
const levels: Readonly<Record<Coding, readonly number[]>> = { gzip: [1, 5, 9], br: [0, 4, 5], zstd: [1, 3, 9] }

/** Decodes a whole body; throws unless it is complete. */
const decode: Readonly<Record<Coding, (coded: Buffer) => Buffer>> = {
  gzip: coded => gunzipSync(coded),
  br: coded => brotliDecompressSync(coded),
  zstd: coded => zstdDecompressSync(coded),
}

/** What a client can read of a body that is not complete. */
const decodeSoFar: typeof decode = {
  gzip: coded => gunzipSync(coded, { finishFlush: constants.Z_SYNC_FLUSH }),
  br: coded => brotliDecompressSync(coded, { finishFlush: constants.BROTLI_OPERATION_FLUSH }),
  zstd: coded => zstdDecompressSync(coded, { finishFlush: constants.ZSTD_e_flush }),
}

class Sink implements EncoderSink {
  readonly pieces: Buffer[] = []
  calls = 0
  lasts = 0
  ready = 0
  errors = 0
  onPiece: () => void = () => {}
  onReady: () => void = () => {}

  get coded(): Buffer {
    return Buffer.concat(this.pieces)
  }

  onEncoded(buffer: Buffer, start: number, end: number, last: boolean): void {
    this.calls++
    if (end === start && !last) throw new Error('nothing was encoded')
    this.pieces.push(Buffer.from(buffer.subarray(start, end)))
    if (last) this.lasts++
    this.onPiece()
  }

  onEncoderReady(): void {
    this.calls++
    this.ready++
    this.onReady()
  }

  onEncoderError(): void {
    this.calls++
    this.errors++
  }
}

let served = 0

/** Each for an app and a client of its own, so that no share is used up. */
function encoderTo(sink: EncoderSink, coding: Coding, level: number = usual[coding]): Encoder {
  served = (served + 1) % 4096
  return Encoder.acquire(coding, level, served, served, sink)!
}

/** Codes a whole body in one call. */
function encode(coding: Coding, body: Buffer, level: number = usual[coding]): Buffer {
  const sink = new Sink()
  encoderTo(sink, coding, level).end(body)
  return sink.coded
}

/** Octets that no coding makes shorter, the same in each run. */
function noise(length: number): Buffer {
  const octets = Buffer.allocUnsafe(length)
  let state = 1
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    octets[i] = state >>> 24
  }
  return octets
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await nextTurn()
}

afterEach(() => expect(encodersInUse).toEqual({ count: 0, octets: 0 }))

test('this Node has what engines need', () => expect(enginesAvailable).toBe(true))

describe.each(codings)('%s', coding => {
  test('any body in any pieces comes out whole, and what is flushed can be read at once', () => {
    const octets = fc.uint8Array({ maxLength: 3000 }).map(array => Buffer.from(array))
    const text = fc.string({ maxLength: 200 }).map(string => Buffer.from(string.repeat(30)))
    const piece = fc.record({ octets: fc.oneof(octets, text), more: fc.boolean(), margin: fc.nat(5) })
    fc.assert(
      fc.property(
        fc.constantFrom(...levels[coding]),
        fc.array(piece, { maxLength: 8 }),
        fc.option(octets, { nil: undefined }),
        (level, pieces, rest) => {
          const sink = new Sink()
          const encoder = encoderTo(sink, coding, level)
          let fed = Buffer.alloc(0)
          for (const { octets, more, margin } of pieces) {
            // Only the range counts, and it is used up within the call.
            const buffer = Buffer.concat([Buffer.alloc(margin, 'x'), octets, Buffer.alloc(margin, 'y')])
            encoder.write(buffer, margin, margin + octets.length, more)
            buffer.fill(0)
            fed = Buffer.concat([fed, octets])
            if (!more && octets.length > 0) expect(decodeSoFar[coding](sink.coded)).toEqual(fed)
          }
          encoder.end(rest)
          expect(decode[coding](sink.coded)).toEqual(Buffer.concat([fed, rest ?? Buffer.alloc(0)]))
          expect(sink).toMatchObject({ lasts: 1, errors: 0 })
        },
      ),
      { seed: 1951, numRuns: 150 },
    )
  })

  test('what does not become shorter fills the output many times', () => {
    const body = noise(1_000_003)
    const sink = new Sink()
    const encoder = encoderTo(sink, coding)
    encoder.write(body, 0, 700_000, true)
    encoder.write(body, 700_000, 900_000, false)
    expect(decodeSoFar[coding](sink.coded)).toEqual(body.subarray(0, 900_000))
    encoder.end(body, 900_000)
    expect(sink.pieces.length).toBeGreaterThan(10)
    expect(decode[coding](sink.coded)).toEqual(body)
  })

  test('a long body of few words', () => {
    const body = Buffer.alloc(3_000_000, 'all work and no play ')
    const sink = new Sink()
    const encoder = encoderTo(sink, coding)
    for (let at = 0; at < body.length; at += 100_000) encoder.write(body, at, at + 100_000, true)
    encoder.end()
    expect(decode[coding](sink.coded)).toEqual(body)
    expect(sink.coded.length).toBeLessThan(body.length / 50)
  })

  test('an empty body', () => {
    expect(decode[coding](encode(coding, Buffer.alloc(0)))).toHaveLength(0)
  })

  test('feeding nothing yields nothing', async () => {
    const sink = new Sink()
    const encoder = encoderTo(sink, coding)
    const empty = Buffer.alloc(10)
    expect(encoder.write(empty, 5, 5, false)).toBe(true)
    expect(encoder.write(empty, 10, 10, true)).toBe(true)
    await turns(4)
    expect(sink.calls).toBe(0)
    encoder.end(empty, 3, 3)
    expect(decode[coding](sink.coded)).toHaveLength(0)
  })

  test('an event is complete at the client before the next one is there', () => {
    const sink = new Sink()
    const encoder = encoderTo(sink, coding)
    let want = ''
    for (let i = 0; i < 50; i++) {
      const event = Buffer.from(`data: ${i}\n\n`)
      expect(encoder.write(event, 0, event.length, false)).toBe(true)
      want += event.toString()
      expect(decodeSoFar[coding](sink.coded).toString()).toBe(want)
    }
    encoder.destroy()
  })

  test('what is held for more comes out by itself when no more comes', async () => {
    const sink = new Sink()
    const came = new Promise<void>(resolve => {
      sink.onPiece = resolve
    })
    const encoder = encoderTo(sink, coding)
    encoder.write(Buffer.from('here it is'), 0, 10, true)
    const before = sink.pieces.length
    await came
    await turns(4)
    expect(sink.pieces.length).toBeGreaterThan(before)
    expect(decodeSoFar[coding](sink.coded).toString()).toBe('here it is')
    const { calls } = sink
    await turns(4)
    expect(sink.calls).toBe(calls)
    encoder.end()
    expect(decode[coding](sink.coded).toString()).toBe('here it is')
  })

  test('a fast body waits for the next turn, then goes on', async () => {
    const body = noise(64 * 1024)
    const sink = new Sink()
    const encoder = encoderTo(sink, coding)
    let writes = 1
    while (encoder.write(body, 0, body.length, true)) writes++
    expect(writes).toBe(coding === 'zstd' ? 4 : 1)
    expect(sink.ready).toBe(0)
    await new Promise<void>(resolve => {
      sink.onReady = resolve
    })
    expect(sink.ready).toBe(1)
    for (let i = 1; i < writes; i++) expect(encoder.write(body, 0, body.length, true)).toBe(true)
    expect(encoder.write(body, 0, body.length, true)).toBe(false)
    encoder.end()
    await turns(4)
    expect(sink.ready).toBe(1)
    expect(decode[coding](sink.coded)).toHaveLength(body.length * writes * 2)
  })

  test('nothing is heard after destroy', async () => {
    const sink = new Sink()
    const encoder = encoderTo(sink, coding)
    const body = noise(300_000)
    encoder.write(body, 0, body.length, true)
    const { calls } = sink
    encoder.destroy()
    encoder.destroy()
    expect(encoder.write(body, 0, body.length, false)).toBe(true)
    encoder.end(body)
    await turns(5)
    expect(sink.calls).toBe(calls)
  })

  test('nothing is heard after the last octets', async () => {
    const sink = new Sink()
    const encoder = encoderTo(sink, coding)
    const body = noise(300_000)
    encoder.write(body, 0, body.length, true)
    encoder.end()
    const { calls } = sink
    encoder.end(body)
    encoder.write(body, 0, body.length, false)
    encoder.destroy()
    await turns(5)
    expect(sink).toMatchObject({ calls, lasts: 1, ready: 0 })
  })

  test('destroy while octets are handed out', () => {
    const sink = new Sink()
    const encoder = encoderTo(sink, coding)
    sink.onPiece = () => encoder.destroy()
    const body = noise(500_000)
    encoder.write(body, 0, body.length, false)
    expect(sink.calls).toBe(1)
    expect(decode[coding](encode(coding, body)), 'the next one is not disturbed').toEqual(body)
  })

  test('destroy in the turn that had been waited for', async () => {
    const sink = new Sink()
    const encoder = encoderTo(sink, coding)
    const body = noise(300_000)
    expect(encoder.write(body, 0, body.length, true)).toBe(false)
    await new Promise<void>(resolve => {
      sink.onReady = () => {
        encoder.destroy()
        resolve()
      }
    })
    const { calls } = sink
    await turns(4)
    expect(sink.calls).toBe(calls)
  })

  test('an engine that was used before, to the end or not, codes as a new one does', () => {
    const body = Buffer.from(JSON.stringify(Array.from({ length: 500 }, (_, id) => ({ id, name: `name ${id % 7}` }))))
    const fresh: Buffer[] = []
    for (const level of levels[coding]) {
      const engine = new Engine(coding, level)
      const output = Buffer.alloc(100_000)
      fresh.push(Buffer.from(output.subarray(0, engine.step('finish', body, 0, body.length, output))))
      for (let round = 0; round < 3; round++) {
        expect(encode(coding, body, level)).toEqual(fresh.at(-1))
        encode(coding, noise(1000), level)
        const encoder = encoderTo(new Sink(), coding, level)
        encoder.write(body, 0, 5000, round === 0)
        encoder.destroy()
      }
    }
    expect(new Set(fresh.map(coded => coded.length)).size, 'the level tells').toBeGreaterThan(1)
  })

  test('no more encoders than there is memory for', () => {
    const encoders: Encoder[] = []
    while (encoders.length < 1100) {
      const encoder = encoderTo(new Sink(), coding) as Encoder | null
      if (encoder === null) break
      encoders.push(encoder)
    }
    expect(encodersInUse.count).toBe(encoders.length)
    expect(encoders.length).toBeGreaterThan(40)
    expect(encoders.length).toBeLessThan(500)
    encoders.pop()!.destroy()
    encoders.push(encoderTo(new Sink(), coding))
    expect(encoderTo(new Sink(), coding)).toBe(null)
    for (const encoder of encoders) encoder.destroy()
  })

  test('memory comes back at once, not when the collector has time', () => {
    const body = noise(200_000)
    const output = Buffer.alloc(300_000)
    const kept: Engine[] = []
    const round = (): void => {
      for (let i = 0; i < 50; i++) {
        const engine = Engine.take(coding, usual[coding])
        engine.step('flush', body, 0, body.length, output)
        engine.release()
        kept.push(engine)
      }
    }
    round()
    const before = process.memoryUsage.rss()
    for (let i = 0; i < 4; i++) round()
    expect(process.memoryUsage.rss() - before).toBeLessThan((200 * engineOctets(coding, usual[coding])) / 4)
    expect(kept).toHaveLength(250)
  })

  test('few engines wait for their next use', () => {
    const body = noise(100)
    const take = (): Engine[] => Array.from({ length: 40 }, () => Engine.take(coding, usual[coding]))
    const output = Buffer.alloc(1000)
    const before = take()
    for (const engine of before) {
      engine.step('finish', body, 0, body.length, output)
      engine.release()
    }
    const after = take()
    expect(after.filter(engine => before.includes(engine))).toHaveLength(coding === 'br' ? 0 : 16)
    for (const engine of after) engine.release()
  })

  test('every encoder gives its engine back, once, however it ends', () => {
    const release = vi.spyOn(Engine.prototype, 'release')
    onTestFinished(() => release.mockRestore())
    const body = noise(1000)
    for (let i = 0; i < 40; i++) {
      const encoder = encoderTo(new Sink(), coding)
      if (i % 4 > 0) encoder.write(body, 0, body.length, i % 4 === 1)
      if (i % 2 === 0) encoder.end()
      encoder.destroy()
    }
    expect(release).toHaveBeenCalledTimes(40)
  })

  test('a range that is not within the buffer is refused', () => {
    const sink = new Sink()
    const encoder = encoderTo(sink, coding)
    const body = Buffer.alloc(10)
    expect(() => encoder.write(body, 0, 11, false)).toThrow(RangeError)
    expect(() => encoder.write(body, -1, 5, false)).toThrow(RangeError)
    encoder.end(body)
    expect(decode[coding](sink.coded)).toEqual(body)
  })
})

test('a failure of the native code is told once and ends the encoder', async () => {
  const stream = createGzip()
  const handle = (stream as unknown as { _handle: { onerror(...error: unknown[]): void } })._handle
  const native = Object.getPrototypeOf(handle) as { writeSync(...parameters: unknown[]): void }
  stream.destroy()
  const { writeSync } = native
  const restore = (): void => {
    native.writeSync = writeSync
  }
  onTestFinished(restore)
  native.writeSync = function (this: typeof handle): void {
    this.onerror('out of memory', constants.Z_MEM_ERROR, 'Z_MEM_ERROR')
  }
  const sink = new Sink()
  const encoder = encoderTo(sink, 'gzip')
  encoder.write(Buffer.from('abc'), 0, 3, true)
  expect(sink).toMatchObject({ calls: 1, errors: 1 })
  restore()
  encoder.end()
  await turns(4)
  expect(sink.calls).toBe(1)
  expect(decode.gzip(encode('gzip', Buffer.from('abc'))).toString()).toBe('abc')
})

test('bodies that come at the same time do not mix', () => {
  const bodies = Array.from({ length: 30 }, (_, i) => Buffer.alloc(50_000, `body ${i} `))
  const sinks = bodies.map(() => new Sink())
  const encoders = sinks.map((sink, i) => encoderTo(sink, codings[i % 3]!))
  for (let at = 0; at < 50_000; at += 10_000)
    for (const [i, encoder] of encoders.entries()) encoder.write(bodies[i]!, at, at + 10_000, i % 2 === 0)
  for (const encoder of encoders) encoder.end()
  for (const [i, sink] of sinks.entries()) expect(decode[codings[i % 3]!](sink.coded)).toEqual(bodies[i])
})
