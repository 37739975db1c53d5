// The PROXY protocol, versions 1 and 2 (HAProxy's proxy-protocol.txt, sections 2.1 and 2.2): what a load balancer says
// about the client before the client's own octets. Pure: octets in, a verdict out.

import { isIPv4, isIPv6 } from 'node:net'
import { addressOf, canonicalAddress } from './ip-address.ts'

export type ProxyHeader =
  /** So far so good; ask again when there is more. */
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'invalid' }
  /** `length` octets; null: the header names nobody, so the peer itself is the client. */
  | { readonly kind: 'header'; readonly length: number; readonly source: string | null }

const incomplete: ProxyHeader = { kind: 'incomplete' }
const invalid: ProxyHeader = { kind: 'invalid' }

/** With its CRLF; what is longer is no header of version 1. */
const maxTextLength = 107
/** Of addresses and extensions in version 2. */
const maxBlockLength = 4096
/** No header is longer. */
export const maxHeaderLength = 16 + maxBlockLength

const textPrefix = Buffer.from('PROXY ', 'latin1')
const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')

const CR = 13
const LF = 10

/** Reads the header that the octets `[start, end)` of a connection begin with. */
export function parseProxyHeader(buffer: Buffer, start: number, end: number): ProxyHeader {
  if (start === end) return incomplete
  if (buffer[start] === signature[0]) return parseBinary(buffer, start, end)
  return parseText(buffer, start, end)
}

/** Whether `[start, end)` begins with `prefix`, as far as it goes. */
function beginsWith(prefix: Buffer, buffer: Buffer, start: number, end: number): boolean {
  const length = Math.min(prefix.length, end - start)
  return buffer.compare(prefix, 0, length, start, start + length) === 0
}

function parseText(buffer: Buffer, start: number, end: number): ProxyHeader {
  if (!beginsWith(textPrefix, buffer, start, end)) return invalid
  const limit = Math.min(end, start + maxTextLength)
  let at = start
  while (at < limit && buffer[at] !== CR) at++
  if (at + 1 >= limit) return limit - start === maxTextLength ? invalid : incomplete
  if (buffer[at + 1] !== LF) return invalid
  const length = at + 2 - start
  const words = buffer.toString('latin1', start + textPrefix.length, at).split(' ')
  // Whatever else the line says is to be ignored.
  if (words[0] === 'UNKNOWN') return { kind: 'header', length, source: null }
  const [protocol = '', source = '', destination = '', sourcePort = '', destinationPort = ''] = words
  if (words.length !== 5 || !isPort(sourcePort) || !isPort(destinationPort)) return invalid
  if (!isAddress(protocol, source) || !isAddress(protocol, destination)) return invalid
  return { kind: 'header', length, source: canonicalAddress(source) }
}

function isAddress(protocol: string, text: string): boolean {
  if (protocol === 'TCP4') return isIPv4(text)
  return protocol === 'TCP6' && isIPv6(text) && !text.includes('%')
}

function isPort(text: string): boolean {
  return /^(0|[1-9][0-9]{0,4})$/.test(text) && Number(text) <= 65_535
}

function parseBinary(buffer: Buffer, start: number, end: number): ProxyHeader {
  if (!beginsWith(signature, buffer, start, end)) return invalid
  if (end - start > 12 && buffer[start + 12] !== 0x20 && buffer[start + 12] !== 0x21) return invalid
  if (end - start < 16) return incomplete
  const block = buffer.readUInt16BE(start + 14)
  if (block > maxBlockLength) return invalid
  const length = 16 + block
  const local = buffer[start + 12] === 0x20
  const family = buffer[start + 13]!
  const least = leastBlock(family)
  // A connection of the load balancer itself: the family says nothing then.
  if (!local && (least === null || block < least)) return invalid
  if (end - start < length) return incomplete
  const source = local ? null : sourceOf(family, buffer, start + 16)
  return { kind: 'header', length, source }
}

/** What the addresses of a family and transport take; null: there is no such family or transport. */
function leastBlock(family: number): number | null {
  switch (family) {
    case 0x00:
      return 0
    case 0x11:
    case 0x12:
      return 12
    case 0x21:
    case 0x22:
      return 36
    case 0x31:
    case 0x32:
      return 216
    default:
      return null
  }
}

/** Only TCP over IP names somebody who can be our client. */
function sourceOf(family: number, buffer: Buffer, at: number): string | null {
  if (family === 0x11) return buffer.subarray(at, at + 4).join('.')
  if (family !== 0x21) return null
  return addressOf(Array.from({ length: 8 }, (_, i) => buffer.readUInt16BE(at + 2 * i)))
}
