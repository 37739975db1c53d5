// What one config has and another has not, in names only: summaries and logs are made of it, and values are secret.

import { isDeepStrictEqual } from 'node:util'
import { compareText } from '#kit/compare-text.ts'
import type { ConfigMaps } from './config.ts'
import { own } from './json-map.ts'

export const configMapNames = ['values', 'memory', 'cpu', 'tags', 'registry', 'healthcheck'] as const
export type ConfigMapName = (typeof configMapNames)[number]

/** Keys, sorted. */
export interface MapChanges {
  readonly added: readonly string[]
  readonly changed: readonly string[]
  readonly deleted: readonly string[]
}

export type ConfigChanges = Readonly<Record<ConfigMapName, MapChanges>>

export function diffMaps(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): MapChanges {
  const keys = Object.keys(after).sort(compareText)
  return {
    added: keys.filter(key => !Object.hasOwn(before, key)),
    changed: keys.filter(key => Object.hasOwn(before, key) && !isDeepStrictEqual(own(before, key), own(after, key))),
    deleted: Object.keys(before)
      .filter(key => !Object.hasOwn(after, key))
      .sort(compareText),
  }
}

export function diffConfigs(before: ConfigMaps, after: ConfigMaps): ConfigChanges {
  const diffs = configMapNames.map(name => [name, diffMaps(before[name], after[name])])
  return Object.fromEntries(diffs) as ConfigChanges
}

export function isUnchanged({ added, changed, deleted }: MapChanges): boolean {
  return added.length + changed.length + deleted.length === 0
}
