// Hosts of one listener, found before paths. Precedence (contract section 7): exact, then the longest wildcard, then
// the first label of a dotless domain, then any. Whichever host wins keeps the request, even if none of its paths match.

import type { HostMatch } from '../../model/route.ts'

/** No host name is longer (RFC 1035 section 2.3.4), and looking for the suffixes of a very long one would take long. */
const maxHost = 253

export class HostIndex<T> {
  readonly #exact = new Map<string, T>()
  readonly #wildcard = new Map<string, T>()
  readonly #oneLabel = new Map<string, T>()
  readonly #label = new Map<string, T>()
  #any: T | null = null

  set(host: HostMatch, value: T): void {
    if (host.kind === 'any') this.#any = value
    else this.#mapOf(host).set(nameOf(host), value)
  }

  delete(host: HostMatch): void {
    if (host.kind === 'any') this.#any = null
    else this.#mapOf(host).delete(nameOf(host))
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
    if (this.#label.size !== 0) {
      const dot = host.indexOf('.')
      if (dot > 0 && dot < host.length - 1) {
        const found = this.#label.get(host.slice(0, dot))
        if (found !== undefined) return found
      }
    }
    return this.#any
  }

  #mapOf(host: Exclude<HostMatch, { kind: 'any' }>): Map<string, T> {
    switch (host.kind) {
      case 'exact':
        return this.#exact
      case 'wildcard':
        return host.depth === 'any' ? this.#wildcard : this.#oneLabel
      case 'label':
        return this.#label
    }
  }
}

function nameOf(host: Exclude<HostMatch, { kind: 'any' }>): string {
  switch (host.kind) {
    case 'exact':
      return host.host
    case 'wildcard':
      return host.suffix
    case 'label':
      return host.label
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
  }
}
