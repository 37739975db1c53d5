// Which content coding a client gets: its Accept-Encoding (RFC 9110 section 12.5.3) held against what is switched on.

/** Content codings that the router makes, by their names in HTTP. */
export type Coding = 'gzip' | 'br' | 'zstd'

/**
 * What the router takes when the client likes several equally, by measurement (bench/micro/coding.ts, JSON of 2, 16 and
 * 100 kB at the usual levels): zstd costs 7, 35 and 190 µs, gzip 11, 76 and 1180, brotli 31, 112 and 790. The ratio of
 * zstd is within 5 % of gzip's, that of brotli within 10 % on such made-up text; on pages that people write it is
 * better, since it knows their commonest words beforehand.
 */
const preference: readonly Coding[] = ['zstd', 'br', 'gzip']

/** A longer header is no browser's and is taken as if it named nothing. */
const maxLength = 1024
const maxCached = 256
const maxCachedLength = 256

const HTAB = 9
const SP = 32
const COMMA = 44
const DOT = 46
const ZERO = 48
const SEMICOLON = 59
const EQUALS = 61

const malformed = -1

/** Reads Accept-Encoding. Clients send few different ones, so verdicts are kept, a bounded number of them. */
export class CodingNegotiator {
  readonly #enabled: readonly Coding[]
  readonly #known = new Map<string, Coding | null>()

  /** `enabled`: the codings that may be chosen. */
  constructor(enabled: ReadonlySet<Coding>) {
    this.#enabled = preference.filter(coding => enabled.has(coding))
  }

  /**
   * The coding for a client that sent `acceptEncoding` (several lines joined by commas; empty: none), or null. A coding
   * counts only when it is named with a weight above 0: `*` alone names none (contract section 12).
   */
  negotiate(acceptEncoding: string): Coding | null {
    const known = this.#known.get(acceptEncoding)
    if (known !== undefined) return known
    const coding = this.#choose(acceptEncoding)
    if (acceptEncoding.length <= maxCachedLength) {
      if (this.#known.size === maxCached) this.#known.clear()
      this.#known.set(acceptEncoding, coding)
    }
    return coding
  }

  #choose(acceptEncoding: string): Coding | null {
    if (acceptEncoding.length > maxLength) return null
    const weights = readWeights(acceptEncoding)
    let chosen: Coding | null = null
    let best = 0
    for (const coding of this.#enabled) {
      const weight = weights.get(coding) ?? 0
      if (weight <= best) continue
      best = weight
      chosen = coding
    }
    return chosen
  }
}

/**
 * The codings that are named, with weights of 0 to 1000. What is not `coding [;q=weight]` counts as not said; of
 * contradicting weights the least counts, because a client can always read what is not coded.
 */
function readWeights(text: string): Map<Coding, number> {
  const weights = new Map<Coding, number>()
  for (let start = 0; start < text.length; ) {
    const comma = text.indexOf(',', start)
    const end = comma < 0 ? text.length : comma
    const from = skipBlanks(text, start, end)
    const nameEnd = endOfName(text, from, end)
    const coding = codingOf(text.slice(from, nameEnd).toLowerCase())
    if (coding !== null) {
      const weight = readWeight(text, nameEnd, end)
      if (weight !== malformed) weights.set(coding, Math.min(weight, weights.get(coding) ?? weight))
    }
    start = end + 1
  }
  return weights
}

function endOfName(text: string, start: number, end: number): number {
  let at = start
  while (at < end) {
    const code = text.charCodeAt(at)
    if (code === SP || code === HTAB || code === SEMICOLON || code === COMMA) break
    at++
  }
  return at
}

function codingOf(name: string): Coding | null {
  switch (name) {
    case 'gzip':
    case 'x-gzip': // The same thing (RFC 9110 section 8.4.1.3).
      return 'gzip'
    case 'br':
    case 'zstd':
      return name
    default:
      return null
  }
}

/** `OWS [";" OWS "q=" qvalue OWS]` in thousandths (RFC 9110 section 12.4.2); nothing there: 1000. */
function readWeight(text: string, start: number, end: number): number {
  let at = skipBlanks(text, start, end)
  if (at === end) return 1000
  if (text.charCodeAt(at) !== SEMICOLON) return malformed
  at = skipBlanks(text, at + 1, end)
  if (at + 2 >= end || (text.charCodeAt(at) | 0x20) !== 0x71 || text.charCodeAt(at + 1) !== EQUALS) return malformed
  at += 2
  let weight = text.charCodeAt(at++) - ZERO
  if (weight !== 0 && weight !== 1) return malformed
  weight *= 1000
  if (at < end && text.charCodeAt(at) === DOT) {
    at++
    for (let unit = 100; unit >= 1 && at < end; unit /= 10, at++) {
      const digit = text.charCodeAt(at) - ZERO
      if (digit < 0 || digit > 9) break
      weight += digit * unit
    }
  }
  return skipBlanks(text, at, end) === end && weight <= 1000 ? weight : malformed
}

function skipBlanks(text: string, start: number, end: number): number {
  let at = start
  while (at < end && (text.charCodeAt(at) === SP || text.charCodeAt(at) === HTAB)) at++
  return at
}
