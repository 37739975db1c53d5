// Escaping of the access log (contract section 14): `"`, `\`, octets below 0x20 and above 0x7E become `\xHH`. So does a
// hyphen between blanks: that is how the parts of a line are told apart, and no client shall be able to add parts.

const hex = '0123456789ABCDEF'

const SP = 0x20
const HYPHEN = 0x2d

const plain = 0
const escaped = 1
const separator = 2

/** What becomes of an octet; `separator` depends on its neighbours. */
const treatment = Uint8Array.from({ length: 256 }, (_, octet) => {
  if (octet === HYPHEN) return separator
  return octet === 0x22 || octet === 0x5c || octet < SP || octet > 0x7e ? escaped : plain
})

/** The text escaped; ASCII. */
export function escapeLog(text: string): string {
  const source = Buffer.from(text, 'utf8')
  const target = Buffer.allocUnsafe(source.length * 4)
  return target.toString('latin1', 0, copyEscaped(source, 0, source.length, target, 0))
}

/** Escapes octets of `source` into `target` from `at` on; `target` has room for four times as many. Returns the new position. */
export function copyEscaped(source: Uint8Array, start: number, end: number, target: Uint8Array, at: number): number {
  let position = at
  for (let i = start; i < end; i++) {
    const octet = source[i]!
    const how = treatment[octet]!
    if (how === plain || (how === separator && !separates(source, i, start, end))) target[position++] = octet
    else {
      target[position++] = 0x5c
      target[position++] = 0x78
      target[position++] = hex.charCodeAt(octet >> 4)
      target[position++] = hex.charCodeAt(octet & 15)
    }
  }
  return position
}

/** Whether the hyphen at `at` has a blank before it, and one or the end of the value behind it. */
function separates(source: Uint8Array, at: number, start: number, end: number): boolean {
  return at > start && source[at - 1] === SP && (at + 1 === end || source[at + 1] === SP)
}

/** The octets that an escaped text stands for. */
export function unescapeLog(text: string): Buffer {
  const raw = text.replace(/\\x([0-9A-F]{2})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
  return Buffer.from(raw, 'latin1')
}

/** The longest of at most `limit` octets of an escaped text that ends neither within a `\xHH` nor as a part would. */
export function wholeEscapes(text: Buffer, limit: number): number {
  const last = text.lastIndexOf(0x5c, limit - 1)
  if (last >= 0 && limit - last < 4) return last
  return limit > 1 && text[limit - 1] === HYPHEN && text[limit - 2] === SP ? limit - 1 : limit
}

/**
 * The text as the inside of a JSON string (RFC 8259 section 7), `limit` octets at most, and no character in it that a
 * terminal or a reader of lines would act on. Returns how many octets it wrote.
 */
export function writeJson(target: Buffer, at: number, limit: number, text: string): number {
  let kept = text
  for (;;) {
    const escapedText = JSON.stringify(kept)
      .slice(1, -1)
      .replace(/[\u007f-\u009f\u2028\u2029]/g, control => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`)
    const length = Buffer.byteLength(escapedText)
    if (length <= limit) return target.write(escapedText, at, 'utf8')
    kept = kept.slice(0, Math.floor((kept.length * limit) / length))
  }
}
