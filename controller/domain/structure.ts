// How many processes of which type an app has: what is asked for, and what a build starts with (controller contract,
// section 5, Processes, and section 8).

import { type Build, buildKind, type Structure } from './app.ts'
import { quoted } from './field.ts'
import { isRecord, own } from './json-map.ts'
import { routedTypes } from './process-type.ts'
import { Refusal } from './refusal.ts'

/** Processes of one type. */
export const mostProcesses = 1000

/** Types that one request may name. */
const mostTypes = 100

/** The counts asked for. `build` is that of the current release. */
export function parseScale(raw: unknown, build: Pick<Build, 'procfile'> | null): Structure {
  if (build === null) throw new Refusal('illogical', 'No build associated with this release')
  if (!isRecord(raw)) throw malformed(`${quoted(raw)} is no object of process types and numbers`)
  const entries = Object.entries(raw)
  if (entries.length > mostTypes) throw malformed(`at most ${mostTypes} process types can be named`)
  const counts = entries.map(([type, count]) => [type, parseCount(type, count)])
  for (const [type] of entries) {
    if (type !== 'cmd' && own(build.procfile, type) === undefined) {
      throw new Refusal('unknown', `Container type ${quoted(type)} does not exist in application`)
    }
  }
  return Object.fromEntries(counts)
}

function parseCount(type: string, raw: unknown): number {
  const count = typeof raw === 'string' && /^[+-]?[0-9]{1,15}$/.test(raw.trim()) ? Number(raw) : raw
  if (!Number.isInteger(count)) throw malformed(`${quoted(type)} has no whole number: ${quoted(raw)}`)
  // Adding makes a plain zero of a negative one.
  const integer = (count as number) + 0
  if (integer < 0) throw malformed('Must be greater than or equal to zero')
  if (integer > mostProcesses) throw malformed(`${quoted(type)} can have at most ${mostProcesses} processes`)
  return integer
}

function malformed(why: string): Refusal {
  return new Refusal('illogical', `Invalid scaling format: ${why}`)
}

/** Types that are not named keep their counts. The very same structure when nothing changes. */
export function mergeStructure(current: Structure, counts: Structure): Structure {
  const isSame = Object.entries(counts).every(([type, count]) => own(current, type) === count)
  return isSame ? current : { ...current, ...counts }
}

/** What an app starts with. */
export function defaultStructure(build: Pick<Build, 'procfile' | 'image' | 'sha' | 'dockerfile'>): Structure {
  if (Object.hasOwn(build.procfile, 'web')) return { web: 1 }
  const kind = buildKind(build)
  if (kind === 'dockerfile' || kind === 'image') return { cmd: 1 }
  // Only a web process starts by itself: a Procfile without one leaves all to its owner.
  return Object.keys(build.procfile).length > 0 ? {} : { web: 1 }
}

/** The structure that a build is deployed with; `before` is the build that ran until now. */
export function structureOfBuild(
  current: Structure,
  build: Pick<Build, 'procfile' | 'image' | 'sha' | 'dockerfile'>,
  before: Pick<Build, 'image' | 'sha' | 'dockerfile'> | null,
): Structure {
  if (Object.keys(current).length === 0) return defaultStructure(build)
  if (before === null || buildKind(before) === buildKind(build)) return current
  const stopped = routedTypes.filter(type => Object.hasOwn(current, type)).map(type => [type, 0])
  return { ...current, ...Object.fromEntries(stopped), ...defaultStructure(build) }
}

/** The type that requests go to: of those there are the first with processes, else the first; null: none. */
export function routedTypeOf(structure: Structure): string | null {
  const present = routedTypes.filter(type => Object.hasOwn(structure, type))
  return present.find(type => structure[type]! > 0) ?? present[0] ?? null
}
