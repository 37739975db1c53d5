// Paths of one host, found segment by segment. Precedence (contract A3): the longest path; at equal length exact
// before prefix before text prefix. Lookup walks the request's path once and remembers the last prefix that it passed.
// Text prefixes (contract section 6, proxyLocations) are few, and kept apart: only hosts that have some look at them.

import type { PathMatch } from '../../model/route.ts'

interface Entry<T> {
  readonly path: string
  readonly value: T
}

interface Node<T> {
  /** Null: none, as with nearly every host. */
  children: Map<string, Node<T>> | null
  prefix: Entry<T> | null
  /** Exact match of this path as it stands, and with one slash behind it. */
  exact: Entry<T> | null
  exactSlash: Entry<T> | null
}

export class PathTrie<T> {
  readonly #root: Node<T> = node()
  #texts: Set<string> | null = null
  /** The longest first, once sorted; null: none, as with nearly every host. */
  #textPrefixes: Entry<T>[] | null = null
  #isSorted = true

  /** False when this path, of this kind, is taken: the first one stays. */
  insert(match: PathMatch, value: T): boolean {
    if (match.kind === 'text-prefix') return this.#insertText(match.path, value)
    const slash = match.path.length > 1 && match.path.endsWith('/')
    const path = slash ? match.path.slice(0, -1) : match.path
    let at = this.#root
    for (const segment of match.path.length < 2 ? [] : path.slice(1).split('/')) {
      at.children ??= new Map()
      let child = at.children.get(segment)
      if (child === undefined) {
        child = node()
        at.children.set(segment, child)
      }
      at = child
    }
    const place = match.kind === 'prefix' ? 'prefix' : slash ? 'exactSlash' : 'exact'
    if (at[place] !== null) return false
    at[place] = { path, value }
    return true
  }

  #insertText(path: string, value: T): boolean {
    this.#texts ??= new Set()
    this.#textPrefixes ??= []
    if (this.#texts.has(path)) return false
    this.#texts.add(path)
    this.#textPrefixes.push({ path, value })
    this.#isSorted = false
    return true
  }

  #matchText(prefixes: Entry<T>[], path: string): Entry<T> | null {
    // When the first request comes, and not for each of many prefixes.
    if (!this.#isSorted) prefixes.sort((a, b) => b.path.length - a.path.length)
    this.#isSorted = true
    return prefixes.find(prefix => path.startsWith(prefix.path)) ?? null
  }

  /** `path` is the raw path of the request, from its first slash, without query. */
  match(path: string): T | null {
    const found = this.#matchSegments(path)
    if (this.#textPrefixes !== null) {
      const text = this.#matchText(this.#textPrefixes, path)
      if (text !== null && text.path.length > (found?.path.length ?? 0)) return text.value
    }
    return found === null ? null : found.value
  }

  #matchSegments(path: string): Entry<T> | null {
    let at = this.#root
    let best = at.prefix
    let position = 1
    while (position <= path.length) {
      const slash = path.indexOf('/', position)
      const end = slash < 0 ? path.length : slash
      // Behind a last slash nothing follows: `/foo/` ends at the node of `foo`.
      if (end === position && end === path.length) return position === 1 ? (at.exact ?? best) : (at.exactSlash ?? best)
      const child = at.children?.get(path.slice(position, end))
      if (child === undefined) return best
      at = child
      if (at.prefix !== null) best = at.prefix
      if (slash < 0) return at.exact ?? best
      position = slash + 1
    }
    return best
  }
}

function node<T>(): Node<T> {
  return { children: null, prefix: null, exact: null, exactSlash: null }
}
