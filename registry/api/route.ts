// Which resource a path is of (distribution specification, "Endpoints"). Names of repositories hold slashes, and may hold the
// very words that resources are called by: a path is read from its end.

import { type Digest, parseDigest } from '../content/digest.ts'
import { parseRepositoryName, parseTag, type RepositoryName } from '../content/names.ts'
import { RegistryError } from '../errors.ts'
import type { Reference } from '../keep/manifests.ts'

export type Route =
  | { readonly kind: 'root' }
  | { readonly kind: 'catalog' }
  | { readonly kind: 'tags'; readonly repository: RepositoryName }
  /** Null: no such thing can exist. */
  | { readonly kind: 'manifest'; readonly repository: RepositoryName; readonly reference: Reference | null }
  | { readonly kind: 'blob'; readonly repository: RepositoryName; readonly digest: Digest }
  | { readonly kind: 'uploads'; readonly repository: RepositoryName }
  | { readonly kind: 'upload'; readonly repository: RepositoryName; readonly id: string }
  | { readonly kind: 'referrers'; readonly repository: RepositoryName; readonly digest: Digest }

/** Null: of none. Throws NAME_INVALID, DIGEST_INVALID. */
export function routeOf(path: string): Route | null {
  if (path === '/v2' || path === '/v2/') return { kind: 'root' }
  if (!path.startsWith('/v2/')) return null
  const parts = path.slice('/v2/'.length).split('/').map(decoded)
  if (parts.length === 1 && parts[0] === '_catalog') return { kind: 'catalog' }
  const last = parts.at(-1)!
  const name = (ending: number): RepositoryName => nameOf(parts.slice(0, -ending).join('/'))
  switch (parts.at(-2)) {
    case 'tags':
      return last === 'list' ? { kind: 'tags', repository: name(2) } : null
    case 'manifests':
      return { kind: 'manifest', repository: name(2), reference: referenceOf(last) }
    case 'referrers':
      return { kind: 'referrers', repository: name(2), digest: digestOrThrow(last) }
    case 'uploads':
      if (parts.at(-3) !== 'blobs') return null
      return last === '' ? { kind: 'uploads', repository: name(3) } : { kind: 'upload', repository: name(3), id: last }
    case 'blobs':
      // Old clients leave the last slash out.
      if (last === 'uploads') return { kind: 'uploads', repository: name(2) }
      return { kind: 'blob', repository: name(2), digest: digestOrThrow(last) }
    default:
      return null
  }
}

function decoded(part: string): string {
  if (!part.includes('%')) return part
  try {
    return decodeURIComponent(part)
  } catch (cause) {
    throw new RegistryError('REQUEST_INVALID', { detail: 'the path is not encoded as a path', cause })
  }
}

function nameOf(text: string): RepositoryName {
  const name = parseRepositoryName(text)
  if (name === null) throw new RegistryError('NAME_INVALID', { detail: { name: text.slice(0, 300) } })
  return name
}

export function digestOrThrow(text: string): Digest {
  const digest = parseDigest(text)
  if (digest === null) throw new RegistryError('DIGEST_INVALID', { detail: { digest: text.slice(0, 300) } })
  return digest
}

function referenceOf(text: string): Reference | null {
  const digest = parseDigest(text)
  if (digest !== null) return { kind: 'digest', digest }
  const tag = parseTag(text)
  return tag === null ? null : { kind: 'tag', tag }
}
