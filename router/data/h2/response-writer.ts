// Heads and trailers of HTTP/1.1 as header blocks of HTTP/2 (RFC 9113 section 8.3.2).

import { Fields, fieldId, fieldIds } from '../http/fields.ts'
import { equalsIgnoreCase } from '../http/octets.ts'
import type { ResponseHead } from '../http/response-head.ts'
import type { Http2Connection } from './connection.ts'
import { frameHeaderBlock } from './frame-writer.ts'
import { frameHeaderSize, maxFrameSize } from './frames.ts'
import { type Indexing, maxBeginLength, maxEncodedLength } from './hpack-encoder.ts'

/** Fields of the connection, which end here (RFC 9113 section 8.2.2). */
const dropped = new Uint8Array(fieldIds)
for (const id of [
  fieldId.dropped,
  fieldId.connection,
  fieldId.transferEncoding,
  fieldId.upgrade,
  fieldId.hopByHop,
  fieldId.keepAlive,
])
  dropped[id] = 1

/** Fields whose values come again and again. */
const indexed = new Uint8Array(fieldIds)
for (const id of [
  fieldId.server,
  fieldId.contentType,
  fieldId.contentEncoding,
  fieldId.vary,
  fieldId.cacheControl,
  fieldId.acceptRanges,
])
  indexed[id] = 1

/** Longest status there is, in the dynamic table or not. */
const statusLength = maxEncodedLength(7, 3)
const setCookie = 'set-cookie'

/** `status` goes before that of the head; `endStream`: no body follows. */
export function writeResponse(
  connection: Http2Connection,
  stream: number,
  head: ResponseHead,
  source: Buffer,
  status: number,
  endStream: boolean,
): void {
  const { encoder, out } = connection
  const { fields } = head
  const chunk = out.room(roomFor(fields) + statusLength)
  const start = out.at + frameHeaderSize
  let at = encoder.begin(chunk, start)
  at = encoder.status(chunk, at, status)
  at = writeFields(connection, fields, source, chunk, at, status === 200 && head.status === 101)
  out.at = frameHeaderBlock(chunk, start, at, stream, endStream, maxFrameSize)
}

/** An interim answer (100, 103). */
export function writeInterim(connection: Http2Connection, stream: number, head: ResponseHead, source: Buffer): void {
  writeResponse(connection, stream, head, source, head.status, false)
}

/** An answer of nothing but a status. */
export function writeStatus(connection: Http2Connection, stream: number, status: number): void {
  const { encoder, out } = connection
  const chunk = out.room(frameHeaderSize + maxBeginLength + statusLength)
  const start = out.at + frameHeaderSize
  const at = encoder.status(chunk, encoder.begin(chunk, start), status)
  out.at = frameHeaderBlock(chunk, start, at, stream, true, maxFrameSize)
}

const trailerFields = new Fields()

/** `lines`: field lines with their CRLFs. Ends the stream. */
export function writeTrailers(connection: Http2Connection, stream: number, lines: Buffer): void {
  const { encoder, out } = connection
  const block = Buffer.concat([lines, Buffer.from('\r\n')])
  trailerFields.reset()
  // They have been read as strictly once; more of them than fit are left out.
  trailerFields.scan(block, 0, block.length, block.length)
  const chunk = out.room(roomFor(trailerFields))
  const start = out.at + frameHeaderSize
  const at = writeFields(connection, trailerFields, block, chunk, encoder.begin(chunk, start), false)
  out.at = frameHeaderBlock(chunk, start, at, stream, true, maxFrameSize)
}

function roomFor(fields: Fields): number {
  const { count } = fields
  const octets = count === 0 ? 0 : fields.lineEnd[count - 1]! - fields.lineStart[0]!
  const block = octets + count * maxEncodedLength(0, 0) + maxBeginLength
  return block + (Math.ceil(block / maxFrameSize) + 2) * frameHeaderSize
}

/** `tunnel`: of a WebSocket, whose accepted key means nothing here (RFC 8441 section 5). */
function writeFields(
  { encoder }: Http2Connection,
  fields: Fields,
  source: Buffer,
  target: Buffer,
  position: number,
  tunnel: boolean,
): number {
  let at = position
  for (let i = 0; i < fields.count; i++) {
    const id = fields.id[i]!
    if (dropped[id] === 1) continue
    const nameStart = fields.lineStart[i]!
    const nameEnd = fields.nameEnd[i]!
    if (tunnel && isNamed(source, nameStart, nameEnd, 'sec-websocket-accept')) continue
    let how: Indexing = indexed[id] === 1 ? 'index' : 'literal'
    if (id === fieldId.other && isNamed(source, nameStart, nameEnd, setCookie)) how = 'never'
    at = encoder.field(target, at, source, nameStart, nameEnd, fields.valueStart[i]!, fields.valueEnd[i]!, how)
  }
  return at
}

function isNamed(source: Buffer, start: number, end: number, name: string): boolean {
  return end - start === name.length && equalsIgnoreCase(source, start, name)
}
