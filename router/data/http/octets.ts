// Octet classes of RFC 9110 and RFC 9112, and comparisons of octet ranges with names, without making strings.

/** token (RFC 9110 section 5.6.2): what method and field names are made of. */
export const isToken = table(octet => /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(octet)) && octet < 0x80)

/** field-vchar, obs-text, SP and HTAB: what a field value may hold. NUL, CR, LF and other controls are not among them. */
export const isFieldValue = table(octet => octet === 9 || (octet >= 0x20 && octet !== 0x7f))

/** What a request target may hold: visible octets but `#`, which no target has (RFC 9112 section 3.2), and obs-text. */
export const isTarget = table(octet => octet > 0x20 && octet !== 0x7f && octet !== 0x23)

/** reg-name (RFC 3986 section 3.2.2) as far as host names use it: without percent-encoding and delimiters. */
export const isRegName = table(octet => octet < 0x80 && /[A-Za-z0-9.\-_]/.test(String.fromCharCode(octet)))

/** Value of a hexadecimal digit, or 255. */
export const hexValue = Uint8Array.from({ length: 256 }, (_, octet) => {
  const value = octet < 0x80 ? '0123456789abcdef'.indexOf(String.fromCharCode(octet).toLowerCase()) : -1
  return value < 0 ? 255 : value
})

/** Largest message body that a Content-Length or the sum of chunk sizes may announce. */
export const maxBodyLength = Number.MAX_SAFE_INTEGER

function table(test: (octet: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, octet) => (test(octet) ? 1 : 0))
}

/** Whether the octets from `start` are `name`, letters compared without case; `name` is lower case. Lengths are equal already. */
export function equalsIgnoreCase(buffer: Uint8Array, start: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    let octet = buffer[start + i]!
    if (octet >= 0x41 && octet <= 0x5a) octet |= 0x20
    if (octet !== name.charCodeAt(i)) return false
  }
  return true
}

/** Whether the octets from `start` to `end` are exactly `text`, which is ASCII. */
export function equals(buffer: Uint8Array, start: number, end: number, text: string): boolean {
  if (end - start !== text.length) return false
  for (let i = 0; i < text.length; i++) if (buffer[start + i] !== text.charCodeAt(i)) return false
  return true
}
