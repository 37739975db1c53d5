// What repositories and tags may be called (distribution specification, "Pulling manifests").

import type { Brand } from '#kit/brand.ts'

export type RepositoryName = Brand<string, 'RepositoryName'>
export type Tag = Brand<string, 'Tag'>

// No two of the separators begin alike where they follow each other, so nothing is tried twice.
const component = '[a-z0-9]+(?:(?:[.]|_|__|-+)[a-z0-9]+)*'
const nameForm = new RegExp(`^${component}(?:/${component})*$`)
const tagForm = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/

/** A name is one part of a key of the store, which takes no longer ones. Clients stop at 255 with the host before it. */
const longestName = 200

export function parseRepositoryName(text: string): RepositoryName | null {
  return text.length <= longestName && nameForm.test(text) ? (text as RepositoryName) : null
}

export function parseTag(text: string): Tag | null {
  return tagForm.test(text) ? (text as Tag) : null
}
