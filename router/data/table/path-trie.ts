// Paths of one host, found segment by segment. Precedence (contract A3): the longest path; at equal length exact
// before prefix. Lookup walks the request's path once and remembers the last prefix that it passed.

import type { PathMatch } from '../../model/route.ts'

interface Node<T> {
  readonly children: Map<string, Node<T>>
  prefix: T | null
  /** Exact match of this path as it stands, and with one slash behind it. */
  exact: T | null
  exactSlash: T | null
}

export class PathTrie<T> {
  readonly #root: Node<T> = node()

  /** False when this path, of this kind, is taken: the first one stays. */
  insert(match: PathMatch, value: T): boolean {
    const slash = match.path.length > 1 && match.path.endsWith('/')
    const path = slash ? match.path.slice(0, -1) : match.path
    let at = this.#root
    for (const segment of match.path.length < 2 ? [] : path.slice(1).split('/')) {
      let child = at.children.get(segment)
      if (child === undefined) {
        child = node()
        at.children.set(segment, child)
      }
      at = child
    }
    const place = match.kind === 'prefix' ? 'prefix' : slash ? 'exactSlash' : 'exact'
    if (at[place] !== null) return false
    at[place] = value
    return true
  }

  /** `path` is the raw path of the request, from its first slash, without query. */
  match(path: string): T | null {
    let at = this.#root
    let best = at.prefix
    let position = 1
    while (position <= path.length) {
      const slash = path.indexOf('/', position)
      const end = slash < 0 ? path.length : slash
      // Behind a last slash nothing follows: `/foo/` ends at the node of `foo`.
      if (end === position && end === path.length) return position === 1 ? (at.exact ?? best) : (at.exactSlash ?? best)
      const child = at.children.get(path.slice(position, end))
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
  return { children: new Map(), prefix: null, exact: null, exactSlash: null }
}
