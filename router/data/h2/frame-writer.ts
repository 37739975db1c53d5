// Frames into memory that the caller has reserved. Each function returns the position behind what it wrote.

import { flag, frameHeaderSize, frameType } from './frames.ts'

export function writeFrameHeader(
  target: Buffer,
  at: number,
  length: number,
  type: number,
  flags: number,
  stream: number,
): number {
  target[at] = length >>> 16
  target[at + 1] = length >>> 8
  target[at + 2] = length
  target[at + 3] = type
  target[at + 4] = flags
  return writeUint32(target, at + 5, stream)
}

export function writeUint32(target: Buffer, at: number, value: number): number {
  target[at] = value >>> 24
  target[at + 1] = value >>> 16
  target[at + 2] = value >>> 8
  target[at + 3] = value
  return at + 4
}

/** `pairs`: id, value, id, value… Takes 9 octets and 3 for each number. */
export function writeSettings(target: Buffer, position: number, pairs: readonly number[]): number {
  let at = writeFrameHeader(target, position, pairs.length * 3, frameType.settings, 0, 0)
  for (let i = 0; i < pairs.length; i += 2) {
    target[at] = pairs[i]! >>> 8
    target[at + 1] = pairs[i]!
    at = writeUint32(target, at + 2, pairs[i + 1]!)
  }
  return at
}

export function writeSettingsAck(target: Buffer, at: number): number {
  return writeFrameHeader(target, at, 0, frameType.settings, flag.ack, 0)
}

/** The eight octets are those of `source` from `from` on. */
export function writePing(target: Buffer, position: number, source: Buffer, from: number, ack: boolean): number {
  const at = writeFrameHeader(target, position, 8, frameType.ping, ack ? flag.ack : 0, 0)
  return at + source.copy(target, at, from, from + 8)
}

export function writeReset(target: Buffer, position: number, stream: number, code: number): number {
  return writeUint32(target, writeFrameHeader(target, position, 4, frameType.rstStream, 0, stream), code)
}

export function writeGoAway(target: Buffer, position: number, lastStream: number, code: number): number {
  const at = writeFrameHeader(target, position, 8, frameType.goAway, 0, 0)
  return writeUint32(target, writeUint32(target, at, lastStream), code)
}

export function writeWindowUpdate(target: Buffer, position: number, stream: number, increment: number): number {
  return writeUint32(target, writeFrameHeader(target, position, 4, frameType.windowUpdate, 0, stream), increment)
}

/** The largest of the frames above but SETTINGS. */
export const controlFrameSize = frameHeaderSize + 8

/**
 * Turns the header block in `[start, end)` into HEADERS and as many CONTINUATION frames as it needs, in place: `start`
 * must have `frameHeaderSize` octets of room before it, and there must be `frameHeaderSize` octets of room behind the
 * block for each `frameSize` octets of it. Returns the position behind the last frame.
 */
export function frameHeaderBlock(
  target: Buffer,
  start: number,
  end: number,
  stream: number,
  endStream: boolean,
  frameSize: number,
): number {
  const ends = endStream ? flag.endStream : 0
  if (end - start <= frameSize) {
    writeFrameHeader(target, start - frameHeaderSize, end - start, frameType.headers, flag.endHeaders | ends, stream)
    return end
  }
  const frames = Math.ceil((end - start) / frameSize)
  // From the last piece to the first, as each moves back by one header more than the one before it.
  for (let i = frames - 1; i > 0; i--) {
    const from = start + i * frameSize
    const to = Math.min(end, from + frameSize)
    const at = from + i * frameHeaderSize
    target.copyWithin(at, from, to)
    const last = i === frames - 1
    writeFrameHeader(
      target,
      at - frameHeaderSize,
      to - from,
      frameType.continuation,
      last ? flag.endHeaders : 0,
      stream,
    )
  }
  writeFrameHeader(target, start - frameHeaderSize, frameSize, frameType.headers, ends, stream)
  return end + (frames - 1) * frameHeaderSize
}
