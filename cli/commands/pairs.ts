// `key=value` arguments of labels and tags, and what removes keys.

import { Fault } from '../fault.ts'

/** Exactly one `=`, and something on both sides. Throws a Fault. */
export function parsePairs(words: readonly string[], examples: string): Record<string, string> {
  const pairs: Record<string, string> = Object.create(null)
  for (const word of words) {
    const [key = '', value = '', ...more] = word.split('=')
    if (key === '' || value === '' || more.length > 0)
      throw new Fault(`${word} is invalid, Must be in format key=value\nExamples: ${examples}`)
    pairs[key] = value
  }
  return pairs
}

/** Each key with null: the controller takes it away. */
export function removals(keys: readonly string[]): Record<string, null> {
  const pairs: Record<string, null> = Object.create(null)
  for (const key of keys) pairs[key] = null
  return pairs
}
