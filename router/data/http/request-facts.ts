// What a parsed request says, as text: made on demand from positions in its buffer. Pure.

import type { AddressSet } from '../../model/cidr.ts'
import type { LogClient, LogOctets } from '../access-log.ts'
import { marksIn } from '../hop-mark.ts'
import { escapeLog } from '../log-escape.ts'
import type { LogFormat } from '../log-format.ts'
import { type Fields, fieldId } from './fields.ts'
import { resolveClient } from './forwarded.ts'
import { equalsIgnoreCase } from './octets.ts'
import type { RequestHead } from './request-head.ts'

/** Name of the virtual host: that of an absolute target, else Host; lower case, without port and one trailing dot. */
export function hostNameOf(head: RequestHead, buffer: Buffer): string {
  const absolute = head.authorityEnd > head.authorityStart
  return absolute
    ? nameIn(buffer, head.authorityStart, head.authorityEnd)
    : nameIn(buffer, head.hostStart, head.hostEnd)
}

/** The name in the authority `[start, limit)`, as `hostNameOf` has it. */
export function nameIn(buffer: Buffer, start: number, limit: number): string {
  let end = limit
  for (let at = end - 1; at >= start; at--) {
    const octet = buffer[at]!
    // The last colon begins a port, unless it is within the brackets of an IPv6 literal.
    if (octet === 0x5d) break
    if (octet === 0x3a) {
      end = at
      break
    }
  }
  if (end > start && buffer[end - 1] === 0x2e) end--
  let upper = false
  for (let at = start; at < end && !upper; at++) upper = buffer[at]! >= 0x41 && buffer[at]! <= 0x5a
  const name = buffer.toString('latin1', start, end)
  return upper ? name.toLowerCase() : name
}

/** How many routers of this kind the request has passed, as far as it says. */
export function hopsOf({ fields }: RequestHead, buffer: Buffer): number {
  let hops = 0
  for (let i = 0; i < fields.count; i++)
    if (fields.id[i] === fieldId.cdnLoop)
      hops += marksIn(buffer.toString('latin1', fields.valueStart[i]!, fields.valueEnd[i]!))
  return hops
}

/** Raw path, without query. */
export function pathOf(head: RequestHead, buffer: Buffer): string {
  const { pathStart, pathEnd } = head
  let end = pathStart
  while (end < pathEnd && buffer[end] !== 0x3f) end++
  return end === pathStart ? '/' : buffer.toString('latin1', pathStart, end)
}

/** Path and query as sent, for a URI: `/` is added where an absolute target has no path, and stands for `*`. */
export function targetOf(head: RequestHead, buffer: Buffer): string {
  const target = buffer.toString('latin1', head.pathStart, head.pathEnd)
  if (target === '*') return '/'
  return target.startsWith('/') ? target : `/${target}`
}

/** Whether TE says that trailers are wanted (RFC 9110 section 10.1.4). */
export function wantsTrailers(head: RequestHead, buffer: Buffer): boolean {
  const { fields } = head
  for (let i = 0; i < fields.count; i++) {
    if (fields.id[i] !== fieldId.hopByHop || fields.nameEnd[i]! - fields.lineStart[i]! !== 2) continue
    const value = buffer.toString('latin1', fields.valueStart[i]!, fields.valueEnd[i]!).toLowerCase()
    if (value.split(',').some(coding => coding.trim() === 'trailers')) return true
  }
  return false
}

/** The value of the last field with this id; empty: none. */
export function lastValue(head: RequestHead, buffer: Buffer, id: number): string {
  const { fields } = head
  for (let i = fields.count - 1; i >= 0; i--) {
    if (fields.id[i] === id) return buffer.toString('latin1', fields.valueStart[i]!, fields.valueEnd[i]!)
  }
  return ''
}

/** The values of all fields with this name, in lower case, as one list (RFC 9110 section 5.3); empty: none. */
export function namedValue(head: RequestHead, buffer: Buffer, name: string): string {
  const { fields } = head
  let joined = ''
  for (let i = 0; i < fields.count; i++) {
    if (!isNamed(fields, i, buffer, name)) continue
    const value = buffer.toString('latin1', fields.valueStart[i]!, fields.valueEnd[i]!)
    joined = joined === '' ? value : `${joined}, ${value}`
  }
  return joined
}

function isNamed(fields: Fields, index: number, buffer: Buffer, name: string): boolean {
  const start = fields.lineStart[index]!
  return fields.nameEnd[index]! - start === name.length && equalsIgnoreCase(buffer, start, name)
}

/** The value of the first cookie with this name, whose letters have a case (RFC 6265 section 5.4); empty: none. */
export function cookieValue(head: RequestHead, buffer: Buffer, name: string): string {
  const { fields } = head
  for (let i = 0; i < fields.count; i++) {
    if (!isNamed(fields, i, buffer, 'cookie')) continue
    for (const pair of buffer.toString('latin1', fields.valueStart[i]!, fields.valueEnd[i]!).split(';')) {
      const equals = pair.indexOf('=')
      if (equals >= 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim()
    }
  }
  return ''
}

/** The values of all fields with this id, as one list (RFC 9110 section 5.3); empty: none. */
export function joinedValue(fields: Fields, buffer: Buffer, id: number): string {
  let joined = ''
  for (let i = 0; i < fields.count; i++) {
    if (fields.id[i] !== id) continue
    const value = buffer.toString('latin1', fields.valueStart[i]!, fields.valueEnd[i]!)
    joined = joined === '' ? value : `${joined}, ${value}`
  }
  return joined
}

/** The client's address (contract section 10): X-Forwarded-For counts from trusted peers only. */
export function clientAddressOf(head: RequestHead, buffer: Buffer, peer: string, trusted: AddressSet): string {
  const { fields } = head
  let lists: string[] | null = null
  for (let i = 0; i < fields.count; i++) {
    if (fields.id[i] !== fieldId.xForwardedFor) continue
    lists ??= []
    lists.push(buffer.toString('latin1', fields.valueStart[i]!, fields.valueEnd[i]!))
  }
  return lists !== null && trusted.has(peer) ? resolveClient(peer, lists, trusted) : peer
}

/**
 * Copies what the log line needs before the buffer is read into again: for the standard format, or for `format`.
 * Returns the user of Basic authentication, `-` without.
 */
export function captureLog(
  head: RequestHead,
  buffer: Buffer,
  octets: LogOctets,
  format: LogFormat | null = null,
  client: LogClient | null = null,
): string {
  const { fields } = head
  if (format !== null) {
    octets.captureFor(format, head, buffer, client)
    const credentials = lastValue(head, buffer, fieldId.authorization)
    return credentials === '' ? '-' : basicUser(credentials)
  }
  let referer = -1
  let agent = -1
  let host = -1
  let user = '-'
  for (let i = 0; i < fields.count; i++) {
    const id = fields.id[i]!
    if (id === fieldId.referer) referer = i
    else if (id === fieldId.userAgent) agent = i
    else if (id === fieldId.host) host = i
    else if (id === fieldId.authorization)
      user = basicUser(buffer.toString('latin1', fields.valueStart[i]!, fields.valueEnd[i]!))
  }
  const { valueStart, valueEnd } = fields
  octets.capture(
    buffer,
    head.methodStart,
    head.lineEnd,
    referer < 0 ? 0 : valueStart[referer]!,
    referer < 0 ? 0 : valueEnd[referer]!,
    agent < 0 ? 0 : valueStart[agent]!,
    agent < 0 ? 0 : valueEnd[agent]!,
    host < 0 ? 0 : valueStart[host]!,
    host < 0 ? 0 : valueEnd[host]!,
  )
  return user
}

const maxUser = 128

/** The user of `Basic` credentials (RFC 7617), escaped for the log; never the password. */
function basicUser(credentials: string): string {
  if (!/^basic /i.test(credentials)) return '-'
  const decoded = Buffer.from(credentials.slice(6).trim(), 'base64').toString('utf8')
  const colon = decoded.indexOf(':')
  return colon > 0 ? escapeLog(decoded.slice(0, Math.min(colon, maxUser))) : '-'
}
