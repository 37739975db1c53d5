// Tags: labels that a node must have (controller contract, section 5, Config).

import { Refusal } from './refusal.ts'

const pattern = /^(?:[a-zA-Z0-9][-.A-Za-z0-9_]{0,61})?[a-zA-Z0-9]$/

/** What is wrong with a tag; null when nothing is. */
export function tagFault(key: string, value: string): string | null {
  const slash = key.lastIndexOf('/')
  const prefix = slash < 0 ? null : key.slice(0, slash)
  if (prefix !== null && prefix.length > 253) return 'Tag key prefixes must 253 characters or less.'
  if (prefix !== null && !pattern.test(prefix)) return 'Tag key prefixes must be DNS subdomains.'
  if (!pattern.test(key.slice(slash + 1))) return 'Tag keys must be alphanumeric or "-_.", and 1-63 characters.'
  if (value !== '' && !pattern.test(value)) return 'Tag values must be alphanumeric or "-_.", and 1-63 characters.'
  return null
}

type Tags = Readonly<Record<string, string>>

/** For tags that no node has; `before` are those that were there until now. */
export function noNodes(tags: Tags, before: Tags): Refusal {
  const texts = (map: Tags): string[] => Object.entries(map).map(([key, value]) => `${key}=${value}`)
  const old = new Set(texts(before))
  const added = texts(tags).filter(text => !old.has(text))
  const cause = old.size > 0 && added.length > 0 ? ` - Addition of ${added.join(', ')} is the cause` : ''
  return new Refusal('illogical', `No nodes matched the provided labels: ${texts(tags).join(', ')}${cause}`)
}
