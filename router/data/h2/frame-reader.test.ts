import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FrameReader, type FrameSink } from './frame-reader.ts'
import { frameHeaderBlock, writeFrameHeader, writeGoAway, writeSettings, writeSettingsAck } from './frame-writer.ts'
import { errorCode, flag, frameType } from './frames.ts'

/** What it is told, as text. */
class Recorder implements FrameSink {
  readonly told: string[] = []
  onData = (stream: number, flow: number) => void this.told.push(`data ${stream} ${flow}`)
  onDataPiece = (stream: number, buffer: Buffer, start: number, end: number) => {
    const text = buffer.toString('latin1', start, end)
    const last = this.told.at(-1)
    // Pieces depend on how the octets come; what they are together does not.
    if (last?.startsWith(`piece ${stream} `)) this.told[this.told.length - 1] = last + text
    else this.told.push(`piece ${stream} ${text}`)
  }
  onDataEnd = (stream: number, end: boolean) => void this.told.push(`data-end ${stream} ${end}`)
  onHeadersBegin = (stream: number, whole: boolean) => void this.told.push(`begin ${stream} ${whole}`)
  onHeaders = (stream: number, buffer: Buffer, start: number, end: number, last: boolean, own: boolean) =>
    void this.told.push(`headers ${stream} ${buffer.toString('latin1', start, end)} ${last} ${own}`)
  onPriority = (stream: number, own: boolean) => void this.told.push(`priority ${stream} ${own}`)
  onReset = (stream: number, code: number) => void this.told.push(`reset ${stream} ${code}`)
  onSetting = (id: number, value: number) => void this.told.push(`setting ${id} ${value}`)
  onSettings = (ack: boolean) => void this.told.push(`settings ${ack}`)
  onPing = (buffer: Buffer, at: number, ack: boolean) =>
    void this.told.push(`ping ${buffer.toString('latin1', at, at + 8)} ${ack}`)
  onGoAway = (last: number, code: number) => void this.told.push(`goaway ${last} ${code}`)
  onWindowUpdate = (stream: number, increment: number) => void this.told.push(`window ${stream} ${increment}`)
  onPushPromise = (stream: number) => void this.told.push(`push ${stream}`)
  onUnknown = () => void this.told.push('unknown')
}

function frame(type: number, flags: number, stream: number, payload: string | Buffer = ''): Buffer {
  const octets = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload
  const head = Buffer.alloc(9)
  writeFrameHeader(head, 0, octets.length, type, flags, stream)
  return Buffer.concat([head, octets])
}

const first = frame(frameType.settings, 0, 0)

function read(octets: Buffer, cuts: readonly number[] = []): { told: string[]; error: number | null } {
  const recorder = new Recorder()
  const reader = new FrameReader(recorder, 1000)
  let at = 0
  let good = true
  for (const cut of [...cuts, octets.length]) {
    // As a thread's buffer is: read into again after each call.
    const piece = Buffer.from(octets.subarray(at, Math.max(at, cut)))
    good = reader.read(piece, 0, piece.length)
    piece.fill(0)
    at = Math.max(at, cut)
    if (!good) break
  }
  return { told: recorder.told, error: good ? null : reader.error }
}

const u32 = (value: number): Buffer => Buffer.from([value >>> 24, value >>> 16, value >>> 8, value])

const frames: [name: string, octets: Buffer, want: readonly string[]][] = [
  ['DATA', frame(0, 0, 1, 'abc'), ['data 1 3', 'piece 1 abc', 'data-end 1 false']],
  ['DATA that ends the stream', frame(0, 1, 1, 'abc'), ['data 1 3', 'piece 1 abc', 'data-end 1 true']],
  ['DATA without octets', frame(0, 1, 1), ['data 1 0', 'data-end 1 true']],
  ['DATA with padding', frame(0, flag.padded, 1, '\x02abc\0\0'), ['data 1 6', 'piece 1 abc', 'data-end 1 false']],
  ['DATA of padding only', frame(0, flag.padded, 1, '\x02\0\0'), ['data 1 3', 'data-end 1 false']],
  ['the reserved bit is ignored', frame(0, 0, 0x80000001, 'a'), ['data 1 1', 'piece 1 a', 'data-end 1 false']],
  ['HEADERS', frame(1, flag.endHeaders, 3, 'xyz'), ['begin 3 true', 'headers 3 xyz false false']],
  ['HEADERS that end the stream', frame(1, 5, 3, 'xyz'), ['begin 3 true', 'headers 3 xyz true false']],
  ['HEADERS with padding', frame(1, 4 | 8, 3, '\x01xyz\0'), ['begin 3 true', 'headers 3 xyz false false']],
  [
    'HEADERS with priority',
    frame(1, 4 | 0x20, 3, Buffer.concat([u32(1), Buffer.from('wxyz')])),
    ['begin 3 true', 'headers 3 xyz false false'],
  ],
  [
    'HEADERS that depend on themselves',
    frame(1, 4 | 0x20, 3, Buffer.concat([u32(0x80000003), Buffer.from('w')])),
    ['begin 3 true', 'headers 3  false true'],
  ],
  [
    'HEADERS and CONTINUATION',
    Buffer.concat([frame(1, 1, 3, 'ab'), frame(9, 0, 3, 'cd'), frame(9, 4, 3, 'ef')]),
    ['begin 3 false', 'headers 3 abcdef true false'],
  ],
  ['PRIORITY', frame(2, 0, 5, Buffer.concat([u32(5), Buffer.from('w')])), ['priority 5 true']],
  ['RST_STREAM', frame(3, 0, 5, u32(8)), ['reset 5 8']],
  ['SETTINGS', frame(4, 0, 0, Buffer.from([0, 3, 0, 0, 0, 7])), ['setting 3 7', 'settings false']],
  ['SETTINGS acknowledged', frame(4, 1, 0), ['settings true']],
  ['PUSH_PROMISE', frame(5, 4, 1, u32(2)), ['push 1']],
  ['PING', frame(6, 0, 0, '12345678'), ['ping 12345678 false']],
  ['GOAWAY', frame(7, 0, 0, Buffer.concat([u32(9), u32(2), Buffer.from('why')])), ['goaway 9 2']],
  ['WINDOW_UPDATE', frame(8, 0, 7, u32(0x80000005)), ['window 7 5']],
  ['a type that nobody knows', frame(77, 255, 1, 'x'), ['unknown']],
]

describe('frames', () => {
  for (const [name, octets, want] of frames) {
    test(name, () => {
      const whole = Buffer.concat([first, octets])
      expect(read(whole)).toEqual({ told: ['settings false', ...want], error: null })
    })
  }

  test('come to the same however their octets are cut', () => {
    const whole = Buffer.concat([first, ...frames.map(([, octets]) => octets)])
    const { told } = read(whole)
    expect(told.length).toBeGreaterThan(frames.length)
    const cuts = fc.array(fc.integer({ min: 0, max: whole.length }), { maxLength: 20 })
    fc.assert(
      fc.property(cuts, found => {
        expect(
          read(
            whole,
            found.sort((a, b) => a - b),
          ),
        ).toEqual({ told, error: null })
      }),
    )
    const everywhere = Array.from({ length: whole.length }, (_, i) => i)
    expect(read(whole, everywhere)).toEqual({ told, error: null })
  })
})

const { protocolError, frameSizeError, enhanceYourCalm } = errorCode
const many = Array.from({ length: 17 }, () => frame(9, 0, 3, 'a'))

const broken: [name: string, octets: Buffer, want: number][] = [
  ['another frame first', frame(6, 0, 0, '12345678'), protocolError],
  ['an acknowledgement first', frame(4, 1, 0), protocolError],
  ['too large a frame', Buffer.concat([first, frame(0, 0, 1, Buffer.alloc(16_385))]), frameSizeError],
  ['DATA of stream 0', Buffer.concat([first, frame(0, 0, 0, 'x')]), protocolError],
  ['DATA with more padding than octets', Buffer.concat([first, frame(0, 8, 1, '\x04abc')]), protocolError],
  ['DATA with padding and no octet', Buffer.concat([first, frame(0, 8, 1)]), frameSizeError],
  ['HEADERS of stream 0', Buffer.concat([first, frame(1, 4, 0, 'x')]), protocolError],
  ['HEADERS with more padding than octets', Buffer.concat([first, frame(1, 12, 1, '\x04abc')]), protocolError],
  ['HEADERS with half a priority', Buffer.concat([first, frame(1, 0x24, 1, 'abc')]), frameSizeError],
  ['CONTINUATION of nothing', Buffer.concat([first, frame(9, 4, 1, 'x')]), protocolError],
  ['another frame within a block', Buffer.concat([first, frame(1, 0, 1, 'x'), frame(0, 0, 1, 'x')]), protocolError],
  ['CONTINUATION of another stream', Buffer.concat([first, frame(1, 0, 1, 'x'), frame(9, 4, 3, 'x')]), protocolError],
  ['CONTINUATION without end', Buffer.concat([first, frame(1, 0, 3, 'x'), ...many]), enhanceYourCalm],
  [
    'a block without end',
    Buffer.concat([first, frame(1, 0, 1, 'x'), frame(9, 0, 1, Buffer.alloc(1000))]),
    enhanceYourCalm,
  ],
  ['PRIORITY of stream 0', Buffer.concat([first, frame(2, 0, 0, 'abcde')]), protocolError],
  ['PRIORITY of another size', Buffer.concat([first, frame(2, 0, 1, 'abcd')]), frameSizeError],
  ['RST_STREAM of stream 0', Buffer.concat([first, frame(3, 0, 0, u32(0))]), protocolError],
  ['RST_STREAM of another size', Buffer.concat([first, frame(3, 0, 1, 'abc')]), frameSizeError],
  ['SETTINGS of a stream', Buffer.concat([first, frame(4, 0, 1)]), protocolError],
  ['SETTINGS of another size', Buffer.concat([first, frame(4, 0, 0, 'abc')]), frameSizeError],
  ['an acknowledgement with settings', Buffer.concat([first, frame(4, 1, 0, 'abcdef')]), frameSizeError],
  ['PING of a stream', Buffer.concat([first, frame(6, 0, 1, '12345678')]), protocolError],
  ['PING of another size', Buffer.concat([first, frame(6, 0, 0, '1234567')]), frameSizeError],
  ['GOAWAY of a stream', Buffer.concat([first, frame(7, 0, 1, Buffer.alloc(8))]), protocolError],
  ['GOAWAY of another size', Buffer.concat([first, frame(7, 0, 0, 'abc')]), frameSizeError],
  ['WINDOW_UPDATE of another size', Buffer.concat([first, frame(8, 0, 0, 'abc')]), frameSizeError],
]

describe('what ends a connection', () => {
  for (const [name, octets, want] of broken) {
    test(name, () => {
      expect(read(octets).error).toBe(want)
      expect(
        read(
          octets,
          Array.from({ length: octets.length }, (_, i) => i),
        ).error,
      ).toBe(want)
    })
  }

  test('nothing else does: any octets give frames or an error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), octets => {
        read(Buffer.concat([first, Buffer.from(octets)]))
      }),
    )
  })
})

describe('what is written can be read', () => {
  test('a header block of any size', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 200, unit: 'binary-ascii' }),
        fc.integer({ min: 1, max: 50 }),
        (block, size) => {
          const target = Buffer.alloc(block.length + 9 * (block.length + 2))
          const end = frameHeaderBlock(target, 9, 9 + target.write(block, 9, 'latin1'), 7, true, size)
          const recorder = new Recorder()
          const reader = new FrameReader(recorder, 1000)
          reader.read(first, 0, first.length)
          const good = reader.read(target, 0, end)
          // More pieces than anybody sends.
          if (Math.ceil(block.length / size) > 17) expect(good).toBe(false)
          else expect(recorder.told.at(-1)).toBe(`headers 7 ${block} true false`)
        },
      ),
    )
  })

  test('SETTINGS, their acknowledgement, and GOAWAY', () => {
    const target = Buffer.alloc(100)
    const end = writeGoAway(target, writeSettingsAck(target, writeSettings(target, 0, [3, 128, 8, 1])), 5, 11)
    expect(read(target.subarray(0, end)).told).toEqual([
      'setting 3 128',
      'setting 8 1',
      'settings false',
      'settings true',
      'goaway 5 11',
    ])
  })
})
