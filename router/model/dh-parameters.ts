// Parameters of a Diffie-Hellman exchange as a Secret holds them: `BEGIN DH PARAMETERS` (PKCS #3) in PEM. Pure.

const block = /-----BEGIN DH PARAMETERS-----([A-Za-z0-9+/=\s]+)-----END DH PARAMETERS-----/

/** Below this a group is too weak to be used (contract section 16). */
export const leastDhBits = 2048

/** How many bits the prime has; null: the text holds no parameters. */
export function dhBits(pem: string): number | null {
  const body = block.exec(pem)?.[1]
  if (body === undefined) return null
  const octets = Buffer.from(body, 'base64')
  // SEQUENCE { INTEGER prime, INTEGER generator, ... }
  const sequence = element(octets, 0, 0x30)
  const prime = sequence === null ? null : element(octets, sequence.start, 0x02)
  if (sequence === null || prime === null || prime.end > sequence.end) return null
  if (element(octets, prime.end, 0x02) === null) return null
  let at = prime.start
  while (at < prime.end && octets[at] === 0) at++
  return at === prime.end ? null : (prime.end - at) * 8 - (Math.clz32(octets[at]!) - 24)
}

/** Where the contents of the DER element at `at` are; null: there is none with this tag, or it is cut off. */
function element(octets: Buffer, at: number, tag: number): { start: number; end: number } | null {
  if (octets[at] !== tag) return null
  const first = octets[at + 1] ?? 0
  const more = first < 0x80 ? 0 : first & 0x7f
  if (more > 4 || at + 2 + more > octets.length) return null
  const length = more === 0 ? first & 0x7f : octets.readUIntBE(at + 2, more)
  const start = at + 2 + more
  return start + length <= octets.length ? { start, end: start + length } : null
}
