// What a release is about, in the words that clients show (controller contract, section 5, Releases).

import type { Build } from './app.ts'
import { type ConfigChanges, isUnchanged, type MapChanges } from './config-diff.ts'

/** Characters: it is an annotation and a variable of the environment as well. */
const longest = 1000

function cut(summary: string): string {
  return summary.length <= longest ? summary : `${summary.slice(0, longest - 3).toWellFormed()}...`
}

export function summaryOfFirst(owner: string): string {
  return `${owner} created initial release`
}

export function summaryOfBuild(user: string, { sha, image }: Pick<Build, 'sha' | 'image'>): string {
  return cut(`${user} deployed ${sha === '' ? image : sha.slice(0, 7)}`)
}

function listed({ added, changed, deleted }: MapChanges, what: string): string[] {
  const part = (verb: string, keys: readonly string[]): string[] =>
    keys.length === 0 ? [] : [`${verb} ${what}${keys.join(', ')}`]
  return [...part('added', added), ...part('changed', changed), ...part('deleted', deleted)]
}

/** Each part begins with the user's name. */
export function summaryOfConfig(user: string, changes: ConfigChanges): string {
  const limits = (['memory', 'cpu'] as const).filter(name => !isUnchanged(changes[name]))
  const parts = [
    listed(changes.values, ''),
    limits.length === 0 ? [] : [`changed limits for ${limits.join(', ')}`],
    listed(changes.tags, 'tag '),
    listed(changes.registry, 'registry info '),
    listed(changes.healthcheck, 'healthcheck info for proc type '),
  ].filter(part => part.length > 0)
  if (parts.length === 0) return `${user} changed nothing`
  return cut(parts.map(part => `${user} ${part.join(', ')}`).join(' and '))
}

export function summaryOfRollback(user: string, version: number): string {
  return `${user} rolled back to v${version}`
}

/** For a release that did not come up. */
export const summaryOfFailed = {
  build: (user: string, buildUuid: string): string => `${user} deployed ${buildUuid.slice(0, 7)} which failed`,
  config: (user: string): string => `${user} deployed a config that failed`,
  rollback: (user: string): string => `${user} performed roll back to a release that failed`,
} as const
