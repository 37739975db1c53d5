// Names of apps: which are allowed, and one for whoever does not care (controller contract, section 5, Apps).

import type { AppId } from './app.ts'
import { adjectives, nouns } from './app-words.ts'
import { lengthFault, readText } from './field.ts'
import { Refusal } from './refusal.ts'

/** An app's name is that of its namespace and of its Service, and so a label of a host name. */
const longest = 63

/** Checks the name that somebody chose. `reserved` are names of the platform's own. */
export function parseAppId(raw: unknown, reserved: ReadonlySet<string>): AppId {
  const id = readText('id', raw)
  const faults = [
    /^[a-z]([a-z0-9-]*[a-z0-9])?$/.test(id)
      ? null
      : 'App name must start with an alphabetic character, cannot end with a hyphen and can only contain a-z (lowercase), 0-9 and hyphens.',
    reserved.has(id) ? `${id} is a reserved name.` : null,
    lengthFault(id, longest),
    /^[-a-zA-Z0-9_]+$/.test(id) ? null : 'Enter a valid "slug" consisting of letters, numbers, underscores or hyphens.',
  ].filter(fault => fault !== null)
  if (faults.length > 0) throw new Refusal('invalid', `id: ${faults.join(' ')}`, { fields: { id: faults } })
  return id as AppId
}

/** Tries after which words alone do not do. */
const mostPlainTries = 5

/** A name such as `brisk-otter`. It may be taken or reserved: then ask again with the next `attempt`. */
export function suggestAppId(random: () => number, attempt = 0): AppId {
  const pick = (words: readonly string[]): string => words[Math.floor(random() * words.length)]!
  const name = `${pick(adjectives)}-${pick(nouns)}`
  return (attempt < mostPlainTries ? name : `${name}-${1000 + Math.floor(random() * 9000)}`) as AppId
}

export const appTaken = 'Application with this id already exists.'
