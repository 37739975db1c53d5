// Who the client is and which scheme it used, when a load balancer stands in between (contract sections 8 and 10). Pure.

import { isIP } from 'node:net'
import { canonicalAddress } from '#kit/ip-address.ts'
import type { AddressSet } from '../../model/cidr.ts'

/**
 * The client behind trusted proxies: `lists` are the values of X-Forwarded-For in order. Walks from the right past
 * trusted addresses to the first that is not; all trusted: the leftmost. Empty elements do not count (RFC 9110 section 5.6.1);
 * anything unreadable ends the walk.
 */
export function resolveClient(peer: string, lists: readonly string[], trusted: AddressSet): string {
  const elements = lists.join(',').split(',')
  let client = peer
  for (let i = elements.length - 1; i >= 0; i--) {
    const element = elements[i]!.trim()
    if (element === '') continue
    const address = parseAddress(element)
    if (address === null) break
    client = address
    if (!trusted.has(address)) break
  }
  return client
}

/** What tells an app of its client, and marks the request: whole field lines. */
export function forwardedLines(client: string, scheme: string, port: string, hopLine: string): Buffer {
  return Buffer.from(
    `X-Forwarded-For: ${client}\r\nX-Forwarded-Proto: ${scheme}\r\nX-Forwarded-Port: ${port}\r\n${hopLine}`,
    'latin1',
  )
}

/** `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:4711`: without port and brackets. */
function parseAddress(text: string): string | null {
  if (text.startsWith('[')) {
    const close = text.indexOf(']')
    const inner = text.slice(1, close)
    if (isIP(inner) !== 6 || inner.includes('%')) return null
    return /^(:[0-9]{1,5})?$/.test(text.slice(close + 1)) ? inner : null
  }
  if (isIP(text) !== 0) return text.includes('%') ? null : text
  const colon = text.indexOf(':')
  const host = text.slice(0, colon)
  return colon > 0 && isIP(host) === 4 && /^[0-9]{1,5}$/.test(text.slice(colon + 1)) ? host : null
}

/**
 * An IPv4 peer of a dual-stack socket comes as `::ffff:192.0.2.1`, one on our own link with its zone: `fe80::1%eth0`.
 * Empty: there is no address (any more).
 */
export function normalizePeer(address: string | undefined): string {
  return address === undefined ? '' : (canonicalAddress(address) ?? '')
}

export type Scheme = 'http' | 'https' | 'ws' | 'wss'

/** What a plain connection's X-Forwarded-Proto says: its last element, in lower case exactly; anything else is `http`. */
export function effectiveScheme(value: string): Scheme {
  const last = /^(?:.*, ?)?(http|https|ws|wss)$/.exec(value)?.[1]
  return (last as Scheme | undefined) ?? 'http'
}
