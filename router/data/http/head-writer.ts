// Writes heads: what an endpoint receives and what a client receives. Fields that cross unchanged are copied as runs of
// octets; only what the router replaces is made anew (contract sections 11 and 12).

import { type Fields, fieldId, fieldIds } from './fields.ts'
import { method, type RequestHead } from './request-head.ts'
import type { ResponseHead } from './response-head.ts'

/** Enough for everything that is written beside what is copied. */
export const headSlack = 1024

const crossesBoth = [
  fieldId.acceptEncoding,
  fieldId.via,
  fieldId.contentType,
  fieldId.contentEncoding,
  fieldId.etag,
  fieldId.vary,
  fieldId.cacheControl,
  fieldId.expires,
  fieldId.lastModified,
  fieldId.acceptRanges,
  fieldId.contentDigest,
  fieldId.trailer,
  fieldId.cdnLoop,
]

const crossesRequest = [
  ...crossesBoth,
  fieldId.other,
  fieldId.contentLength,
  fieldId.expect,
  fieldId.referer,
  fieldId.userAgent,
  fieldId.authorization,
  fieldId.server,
  fieldId.date,
  fieldId.xAccel,
]

const crossesResponse = [
  ...crossesBoth,
  fieldId.other,
  fieldId.host,
  fieldId.contentLength,
  fieldId.expect,
  fieldId.xForwardedFor,
  fieldId.xForwardedProto,
  fieldId.xForwardedPort,
  fieldId.xRequestStart,
  fieldId.xClientCert,
  fieldId.earlyData,
  fieldId.referer,
  fieldId.userAgent,
  fieldId.authorization,
]

const ids = [fieldId.xRequestId, fieldId.xCorrelationId]

/**
 * By whether the router sets X-Request-Start (1), the request ids (2) and what it knows of a client's certificate (4)
 * itself: then the client's do not cross.
 */
const requestTables = Array.from({ length: 8 }, (_, replaced) =>
  keepTable([
    ...crossesRequest,
    ...((replaced & 1) === 0 ? [fieldId.xRequestStart] : []),
    ...((replaced & 2) === 0 ? ids : []),
    ...((replaced & 4) === 0 ? [fieldId.xClientCert] : []),
  ]),
)
/** What does not hold of a compressed answer, or is made anew for it. */
const recoded = new Set<number>([
  fieldId.contentLength,
  fieldId.contentEncoding,
  fieldId.acceptRanges,
  fieldId.contentDigest,
  fieldId.etag,
  fieldId.trailer,
])
const crossesCompressed = crossesResponse.filter(id => !recoded.has(id))
/** By whether the router sets the request ids (1) and compresses (2) itself. */
const responseTables = [
  keepTable([...crossesResponse, ...ids]),
  keepTable(crossesResponse),
  keepTable([...crossesCompressed, ...ids]),
  keepTable(crossesCompressed),
]

function keepTable(kept: readonly number[]): Uint8Array {
  const table = new Uint8Array(fieldIds)
  for (const id of kept) table[id] = 1
  return table
}

/** Copies the lines whose id the table keeps, runs at a time. Returns the new position in `target`. */
function copyFields(fields: Fields, keep: Uint8Array, source: Buffer, target: Buffer, position: number): number {
  let at = position
  let runStart = -1
  const count = fields.count
  for (let i = 0; i < count; i++) {
    const stays = keep[fields.id[i]!] === 1
    if (stays && runStart < 0) runStart = fields.lineStart[i]!
    else if (!stays && runStart >= 0) {
      at += source.copy(target, at, runStart, fields.lineStart[i]!)
      runStart = -1
    }
  }
  if (runStart >= 0) at += source.copy(target, at, runStart, fields.lineEnd[count - 1]!)
  return at
}

/** Which fields the router sets itself, so that the client's do not cross: a sum. */
export const replaces = { nothing: 0, requestStart: 1, requestIds: 2, clientCertificate: 4 } as const

/**
 * Writes the head for the endpoint and returns the position behind it. `host` is lower case and without port;
 * `forwarded` and `lines` are whole field lines; `replaced` is a sum of `replaces`.
 */
export function writeRequestHead(
  head: RequestHead,
  source: Buffer,
  target: Buffer,
  position: number,
  host: string,
  forwarded: Buffer,
  lines: string,
  replaced: number,
): number {
  let at = position
  if (head.authorityEnd === head.authorityStart) {
    at += source.copy(target, at, head.methodStart, head.targetEnd)
  } else {
    at += source.copy(target, at, head.methodStart, head.targetStart)
    // `http://host` and `http://host?query` have no path of their own: it is `/`, or for OPTIONS without a query the
    // server as a whole (RFC 9112 section 3.2.4).
    if (head.pathStart === head.pathEnd) target[at++] = (head.methodTraits & method.options) === 0 ? 0x2f : 0x2a
    else if (source[head.pathStart] !== 0x2f) target[at++] = 0x2f
    at += source.copy(target, at, head.pathStart, head.pathEnd)
  }
  at += target.write(` HTTP/1.1\r\nHost: ${host}\r\n`, at, 'latin1')
  at = copyFields(head.fields, requestTables[replaced]!, source, target, at)
  at += forwarded.copy(target, at)
  if (lines !== '') at += target.write(lines, at, 'latin1')
  if (head.framing.chunked) at += target.write('Transfer-Encoding: chunked\r\n', at, 'latin1')
  if (head.upgradeField >= 0) {
    const { valueStart, valueEnd } = head.fields
    at += target.write('Connection: upgrade\r\nUpgrade: ', at, 'latin1')
    at += source.copy(target, at, valueStart[head.upgradeField]!, valueEnd[head.upgradeField]!)
    target[at++] = 13
    target[at++] = 10
  }
  target[at++] = 13
  target[at++] = 10
  return at
}

/** What of an answer the router makes anew: a sum. */
export const remakes = { nothing: 0, requestIds: 1, coding: 2 } as const

/**
 * Writes the head for the client and returns the position behind it. `lines` are further lines with CRLFs; `remade` is a
 * sum of `remakes`.
 */
export function writeResponseHead(
  head: ResponseHead,
  source: Buffer,
  target: Buffer,
  position: number,
  serverAndDate: Buffer,
  lines: string,
  remade: number,
): number {
  let at = position
  at += target.write(statusPrefix[head.status] ?? `HTTP/1.1 ${head.status} `, at, 'latin1')
  at += source.copy(target, at, head.reasonStart, head.reasonEnd)
  target[at++] = 13
  target[at++] = 10
  at += serverAndDate.copy(target, at)
  at = copyFields(head.fields, responseTables[remade]!, source, target, at)
  if (lines !== '') at += target.write(lines, at, 'latin1')
  target[at++] = 13
  target[at++] = 10
  return at
}

/** Strings of the usual statuses, made once. */
const statusPrefix: Readonly<Record<number, string>> = Object.fromEntries(
  Array.from({ length: 500 }, (_, i) => [i + 100, `HTTP/1.1 ${i + 100} `]),
)

/** An interim answer (103) crosses as it is, without the router's own fields. */
export function writeInterimHead(head: ResponseHead, source: Buffer, target: Buffer, position: number): number {
  return writeResponseHead(head, source, target, position, empty, '', remakes.nothing)
}

const empty = Buffer.alloc(0)
