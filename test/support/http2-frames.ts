// Frames of HTTP/2 as octets, for peers that tests drive frame by frame: they can say what no library would.

import { writeFrameHeader } from '#router/data/h2/frame-writer.ts'
import { frameHeaderSize, frameType } from '#router/data/h2/frames.ts'

export interface Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

export function frame(type: number, flags: number, stream: number, payload: Uint8Array | string = ''): Buffer {
  const octets = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload
  const head = Buffer.alloc(frameHeaderSize)
  writeFrameHeader(head, 0, octets.length, type, flags, stream)
  return Buffer.concat([head, octets])
}

/** 32-bit numbers. */
export function numbers(...values: readonly number[]): Buffer {
  const octets = Buffer.alloc(4 * values.length)
  for (const [i, value] of values.entries()) octets.writeUInt32BE(value, 4 * i)
  return octets
}

/** One setting. */
export function pair(id: number, value: number): Buffer {
  return Buffer.concat([Buffer.from([id >> 8, id & 0xff]), numbers(value)])
}

export function settings(...pairs: readonly (readonly [id: number, value: number])[]): Buffer {
  return frame(frameType.settings, 0, 0, Buffer.concat(pairs.map(([id, value]) => pair(id, value))))
}

export type FieldList = readonly (readonly [name: string, value: string])[]

/** A header block without tables: literals that are never indexed (RFC 7541 section 6.2.3). */
export function block(...fields: FieldList): Buffer {
  return Buffer.concat(
    fields.flatMap(([name, value]) => [
      Buffer.from([0x10]),
      ...[name, value].flatMap(text => [length(text.length), Buffer.from(text, 'latin1')]),
    ]),
  )
}

/** The block of a request. */
export function request(host: string, method = 'GET', path = '/'): Buffer {
  return block([':method', method], [':scheme', 'https'], [':authority', host], [':path', path])
}

function length(value: number): Buffer {
  if (value < 127) return Buffer.from([value])
  const octets = [127]
  let rest = value - 127
  for (; rest >= 128; rest >>= 7) octets.push(128 | (rest & 127))
  return Buffer.from([...octets, rest])
}
