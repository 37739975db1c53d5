// Parsers for the value types of annotations (contract section 3). Each is total: any text gives a value or a reason.
// Lists are read as a whole: one bad element spoils the list. Empty elements, as a trailing comma leaves, are dropped.

import { type Cidr, parseCidr } from '../model/cidr.ts'
import { mostBlocks, mostDomains } from './bounds.ts'
import { type DomainEntry, parseDomainEntry } from './domain.ts'

/** `reason` completes the sentence that begins with the value: `"0" is no duration (…)`. */
type Parsed<T> = { readonly kind: 'value'; readonly value: T } | { readonly kind: 'bad'; readonly reason: string }

export type Parser<T> = (raw: string) => Parsed<T>

const longestShown = 80

/** A value as messages show it: quoted, escaped, cut to 80 characters. */
export function quote(value: string): string {
  const shown = value.length > longestShown ? `${value.slice(0, longestShown)}…` : value
  // JSON leaves DEL, the second set of controls and the separators of lines as they are.
  return JSON.stringify(shown).replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    octet => `\\u${octet.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

function value<T>(value: T): Parsed<T> {
  return { kind: 'value', value }
}

function bad(reason: string): Parsed<never> {
  return { kind: 'bad', reason }
}

/** Names the element that spoilt a list of several: what is shown of a long list may not hold it. */
function badList(raw: string, element: string, list: string): Parsed<never> {
  return bad(element === raw ? `is no ${list}` : `is no ${list}: ${quote(element)} is none`)
}

/** `true` or `false` in any letter case. */
export const boolean: Parser<boolean> = raw => {
  if (/^true$/i.test(raw)) return value(true)
  if (/^false$/i.test(raw)) return value(false)
  return bad('is neither true nor false')
}

/** Decimal digits without leading zero, from `min` (0 or more) to `max`. */
export function integer(min = 1, max = Number.MAX_SAFE_INTEGER): Parser<number> {
  return raw => {
    if (!/^(0|[1-9][0-9]*)$/.test(raw)) return bad(`is no whole number from ${min}`)
    const number = Number(raw)
    if (number < min) return bad(`is less than ${min}`)
    if (number > max) return bad(`is more than ${max}`)
    return value(number)
  }
}

function scaled(digits: string, factor: number): Parsed<number> {
  const number = Number(digits) * factor
  return Number.isSafeInteger(number) ? value(number) : bad('is too large')
}

const second = 1000
const day = 24 * 60 * 60 * second
const timeUnits = {
  ms: 1,
  s: second,
  m: 60 * second,
  h: 60 * 60 * second,
  d: day,
  w: 7 * day,
  M: 30 * day,
  y: 365 * day,
} as const

/** Milliseconds, from `30s`, `5m`, `250ms`; a number alone counts seconds. A month has 30 days, a year 365. */
export const duration: Parser<number> = raw => {
  const match = /^([1-9][0-9]*)(ms|[smhdwMy])?$/.exec(raw)
  if (match === null) return bad('is no duration (a whole number from 1 and one of ms s m h d w M y)')
  return scaled(match[1]!, timeUnits[(match[2] ?? 's') as keyof typeof timeUnits])
}

const sizeUnits = { k: 1024, K: 1024, m: 1024 * 1024, M: 1024 * 1024 } as const

/** Bytes, from `512`, `8k`, `1M`. */
export const size: Parser<number> = raw => {
  const match = /^([1-9][0-9]*)([kKmM])?$/.exec(raw)
  if (match === null) return bad('is no size (a whole number from 1, with k or m or without)')
  return scaled(match[1]!, match[2] === undefined ? 1 : sizeUnits[match[2] as keyof typeof sizeUnits])
}

/** As `size`, and `0`. */
export const sizeOrZero: Parser<number> = raw => (raw === '0' ? value(0) : size(raw))

/** Exactly one of `members`. */
export function oneOf<const T extends string>(...members: readonly T[]): Parser<T> {
  return raw => {
    const member = members.find(candidate => candidate === raw)
    return member === undefined ? bad(`is none of ${members.join(', ')}`) : value(member)
  }
}

/** Any text without control characters. */
export const text: Parser<string> = raw => (/[\x00-\x1f\x7f]/.test(raw) ? bad('holds a control character') : value(raw))

/** `text` that is not empty. */
export const someText: Parser<string> = raw => (raw === '' ? bad('is empty') : text(raw))

/** `inner`, turned into what the settings hold. */
export function mapped<A, B>(inner: Parser<A>, convert: (value: A) => B): Parser<B> {
  return raw => {
    const parsed = inner(raw)
    return parsed.kind === 'value' ? value(convert(parsed.value)) : parsed
  }
}

/** `word` stands for `meaning`; everything else is left to `inner`. */
export function wordOr<W, T>(word: string, meaning: W, inner: Parser<T>): Parser<W | T> {
  return raw => (raw === word ? value(meaning) : inner(raw))
}

/** Words of `pattern`, separated by blanks, in order of first occurrence; `what` names one in a complaint. */
export function words(pattern: RegExp, what: string): Parser<readonly string[]> {
  return raw => {
    const found = raw.split(/[\t\n\f\r ]/).filter(word => word !== '')
    if (found.length === 0) return bad('is empty')
    const stranger = found.find(word => !pattern.test(word))
    if (stranger !== undefined) return badList(raw, stranger, `blank-separated list of ${what}`)
    return value([...new Set(found)])
  }
}

/** A blank-separated set of `members`. */
export function setOf(...members: readonly string[]): Parser<readonly string[]> {
  const inner = words(/^/, '')
  return raw => {
    const parsed = inner(raw)
    if (parsed.kind === 'bad') return parsed
    const stranger = parsed.value.find(word => !members.includes(word))
    if (stranger === undefined) return parsed
    return badList(raw, stranger, `blank-separated list of ${members.join(', ')}`)
  }
}

function isBlank(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d && code !== 0x0b)
}

// Not `trim()`, which also eats Unicode blanks, and not an expression, which takes quadratic time on long blanks.
function withoutBlanks(raw: string): string {
  let start = 0
  let end = raw.length
  while (start < end && isBlank(raw.charCodeAt(start))) start++
  while (end > start && isBlank(raw.charCodeAt(end - 1))) end--
  return raw.slice(start, end)
}

/** What stands between commas. Null when nothing does, or when blanks lead or trail the list itself. */
function elements(raw: string): readonly string[] | null {
  const parts = raw.split(',').map(withoutBlanks)
  const found = parts.filter(part => part !== '')
  if (found.length === 0) return null
  if (isBlank(raw.charCodeAt(0))) return null
  // Blanks after a trailing comma surround that comma; blanks after the last element do not.
  if (isBlank(raw.charCodeAt(raw.length - 1)) && parts.at(-1) !== '') return null
  return found
}

/** At most `most` elements: a longer list is spoilt as a whole too, for nobody meant one half of it. */
function commaList<T>(parseElement: (element: string) => T | null, what: string, most: number): Parser<readonly T[]> {
  return raw => {
    const found = elements(raw)
    if (found === null) return bad(`is no comma-separated list of ${what}`)
    if (found.length > most) return bad(`has ${found.length} elements, and at most ${most} ${what} are taken`)
    const values: T[] = []
    for (const element of found) {
      const parsed = parseElement(element)
      if (parsed === null) return badList(raw, element, `comma-separated list of ${what}`)
      values.push(parsed)
    }
    return value(values)
  }
}

/** Addresses and blocks, IPv4 and IPv6; at most 1,000. */
export const cidrList: Parser<readonly Cidr[]> = commaList(parseCidr, 'addresses or CIDR blocks', mostBlocks)

/** Entries of `domains`, in lower case, as written otherwise; repeated ones stay. At most 500. */
export const domainList: Parser<readonly DomainEntry[]> = commaList(parseDomainEntry, 'domains', mostDomains)

const wordWithHyphens = /^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$/
// The Secret is called `<certname>-cert`, and no Kubernetes name is longer than 253 characters.
const longestCertname = 248

function parsePair(raw: string): readonly [DomainEntry, string] | null {
  const colon = raw.indexOf(':')
  if (colon < 0) return null
  const domain = parseDomainEntry(raw.slice(0, colon))
  const certname = raw.slice(colon + 1)
  if (domain === null || certname.length > longestCertname || !wordWithHyphens.test(certname)) return null
  return [domain, certname]
}

/** `domain:certname` pairs, no blanks around the colon; of two for one domain the later counts. At most 500. */
export const certificateMap: Parser<ReadonlyMap<DomainEntry, string>> = mapped(
  commaList(parsePair, 'domain:certname pairs', mostDomains),
  pairs => new Map(pairs),
)
