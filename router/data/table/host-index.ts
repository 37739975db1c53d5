// Hosts of one listener, found before paths. Precedence (contract section 7): exact, then the longest wildcard, then
// the first label of a dotless domain or an expression, by the order that they were given, then any. Whichever host wins
// keeps the request, even if none of its paths match; what nobody answers goes to the default.

import type { RE2JS } from 're2js'
import { assertNever } from '#kit/assert-never.ts'
import { compareText } from '#kit/compare-text.ts'
import { compileHostExpression, maxExpressions } from '../../model/host-expression.ts'
import type { HostMatch } from '../../model/route.ts'

/** No host name is longer (RFC 1035 section 2.3.4), and looking for the suffixes of a very long one would take long. */
const maxHost = 253
const maxVerdicts = 4096

interface Ordered<T> {
  readonly value: T
  readonly order: string
}

interface Expression<T> extends Ordered<T> {
  readonly text: string
  readonly pattern: RE2JS
  readonly size: number
}

export class HostIndex<T> {
  /** What answers when no host does, or none of its paths. */
  default: T | null = null
  readonly #exact = new Map<string, T>()
  readonly #wildcard = new Map<string, T>()
  readonly #oneLabel = new Map<string, T>()
  readonly #label = new Map<string, Ordered<T>>()
  /** By `order`, then text. */
  #expressions: readonly Expression<T>[] = []
  /** What hosts were found to match, until an expression changes: clients ask for the same few again and again. */
  readonly #verdicts = new Map<string, Expression<T> | null>()
  #any: T | null = null

  /** Of the labels and expressions that match a host the one with the least `order`, by code unit, has it. */
  set(host: HostMatch, value: T, order: string): void {
    switch (host.kind) {
      case 'exact':
        this.#exact.set(host.host, value)
        break
      case 'wildcard':
        this.#suffixes(host.depth).set(host.suffix, value)
        break
      case 'label':
        this.#label.set(host.label, { value, order })
        break
      case 'regex':
        this.#setExpression(host.expression, value, order)
        break
      case 'any':
        this.#any = value
        break
      case 'default':
        this.default = value
        break
      default:
        assertNever(host)
    }
  }

  delete(host: HostMatch): void {
    switch (host.kind) {
      case 'exact':
        this.#exact.delete(host.host)
        break
      case 'wildcard':
        this.#suffixes(host.depth).delete(host.suffix)
        break
      case 'label':
        this.#label.delete(host.label)
        break
      case 'regex':
        this.#expressions = this.#expressions.filter(({ text }) => text !== host.expression)
        this.#verdicts.clear()
        break
      case 'any':
        this.#any = null
        break
      case 'default':
        this.default = null
        break
      default:
        assertNever(host)
    }
  }

  /** `host` is in lower case, without port and trailing dot. */
  match(host: string): T | null {
    const exact = this.#exact.get(host)
    if (exact !== undefined) return exact
    if (host.length > maxHost) return this.#any
    if (this.#wildcard.size !== 0 || this.#oneLabel.size !== 0) {
      const first = host.indexOf('.')
      for (let dot = first; dot > 0; dot = host.indexOf('.', dot + 1)) {
        const suffix = host.slice(dot + 1)
        const found = (dot === first ? this.#oneLabel.get(suffix) : undefined) ?? this.#wildcard.get(suffix)
        if (found !== undefined) return found
      }
    }
    if (this.#label.size !== 0 || this.#expressions.length !== 0) {
      const found = this.#matchFirst(host)
      if (found !== null) return found
    }
    return this.#any
  }

  #matchFirst(host: string): T | null {
    const dot = host.indexOf('.')
    if (dot <= 0 || dot === host.length - 1) return null
    const labelled = this.#label.get(host.slice(0, dot))
    const expression = this.#expressions.length === 0 ? null : this.#verdict(host)
    if (expression === null) return labelled?.value ?? null
    return labelled !== undefined && labelled.order <= expression.order ? labelled.value : expression.value
  }

  /** The first expression that matches; beyond a bound on all of them together none is looked at. */
  #verdict(host: string): Expression<T> | null {
    const known = this.#verdicts.get(host)
    if (known !== undefined) return known
    let size = 0
    let found: Expression<T> | null = null
    for (const expression of this.#expressions) {
      size += expression.size
      if (size > maxExpressions) break
      if (!expression.pattern.matches(host)) continue
      found = expression
      break
    }
    if (this.#verdicts.size >= maxVerdicts) this.#verdicts.clear()
    this.#verdicts.set(host, found)
    return found
  }

  #suffixes(depth: 'any' | 'one'): Map<string, T> {
    return depth === 'any' ? this.#wildcard : this.#oneLabel
  }

  #setExpression(text: string, value: T, order: string): void {
    this.#verdicts.clear()
    const known = this.#expressions.find(expression => expression.text === text)
    const compiled = known ?? compileHostExpression(text)
    const others = this.#expressions.filter(expression => expression !== known)
    if ('kind' in compiled && compiled.kind === 'bad') {
      // Control lets none of these through.
      this.#expressions = others
      return
    }
    const { pattern, size } = compiled
    const next = [...others, { text, pattern, size, value, order }]
    this.#expressions = next.sort((a, b) => compareText(a.order, b.order) || compareText(a.text, b.text))
  }
}

/** The same text for the same host and depth, so that routes of one host come together. */
export function hostKey(host: HostMatch): string {
  switch (host.kind) {
    case 'any':
      return '*'
    case 'wildcard':
      return `${host.depth === 'any' ? '**' : '*'}.${host.suffix}`
    case 'exact':
      return `=${host.host}`
    case 'label':
      return `~${host.label}`
    case 'regex':
      return `~~${host.expression}`
    case 'default':
      return '-'
    default:
      return assertNever(host)
  }
}
