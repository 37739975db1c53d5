// IP addresses in the one text that each has here, whoever wrote it: what is logged, forwarded and counted by address
// must not differ between a socket and a PROXY header (contract section 10). Pure.

import { isIPv4, isIPv6 } from 'node:net'

/**
 * `192.0.2.1` for IPv4, also when it is written as IPv6 (RFC 4291 section 2.5.5.2); RFC 5952's text for the rest of IPv6,
 * without a zone. Null: no address.
 */
export function canonicalAddress(text: string): string | null {
  if (isIPv4(text)) return text
  // As sockets give it that take both.
  if (text.startsWith('::ffff:') && isIPv4(text.slice(7))) return text.slice(7)
  return isIPv6(text) ? addressOf(groupsOf(text)) : null
}

/** The same of eight groups of 16 bits. */
export function addressOf(groups: readonly number[]): string {
  const mapped = groups[5] === 0xffff && groups.slice(0, 5).every(group => group === 0)
  if (mapped) return [groups[6]! >> 8, groups[6]! & 0xff, groups[7]! >> 8, groups[7]! & 0xff].join('.')
  return shorten(groups)
}

/** `text` is valid. */
function groupsOf(text: string): number[] {
  const zone = text.indexOf('%')
  const [left = '', right] = (zone < 0 ? text : text.slice(0, zone)).split('::')
  const before = partOf(left)
  if (right === undefined) return before
  const after = partOf(right)
  return [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after]
}

/** Groups in hexadecimal, of which the last may be two groups written as IPv4. */
function partOf(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap(group => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)]
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number)
    return [(a << 8) | b, (c << 8) | d]
  })
}

/** RFC 5952: the longest run of two or more zero groups, the first of equal ones, becomes `::`. */
function shorten(groups: readonly number[]): string {
  let from = 0
  let longest = 1
  for (let i = 0; i < 8; i++) {
    let run = 0
    while (groups[i + run] === 0) run++
    if (run > longest) {
      longest = run
      from = i
    }
  }
  const text = (part: readonly number[]): string => part.map(group => group.toString(16)).join(':')
  return longest === 1 ? text(groups) : `${text(groups.slice(0, from))}::${text(groups.slice(from + longest))}`
}
