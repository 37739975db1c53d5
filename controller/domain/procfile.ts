// Process types of a build and their commands (controller contract, section 5, Builds).

import type { Procfile, Structure } from './app.ts'
import { readMap, textOfValue } from './json-map.ts'
import { isProcessType, processTypeFault } from './process-type.ts'
import { invalid, Refusal } from './refusal.ts'

/** Types: each becomes a Deployment. */
const mostTypes = 100

/** Octets of a command: an argument of a process has no more than 128 KiB on Linux. */
const longestCommand = 100_000

/** An object, or the JSON text of one; absent: none. */
export function parseProcfile(raw: unknown): Procfile {
  const map = readMap('procfile', raw === null || raw === '' ? undefined : raw) ?? new Map<string, unknown>()
  if (map.size > mostTypes) throw invalid('procfile', `Ensure this field has no more than ${mostTypes} elements.`)
  const commands = [...map].map(([type, value]) => [type, parseCommand(type, value)])
  return Object.fromEntries(commands)
}

function parseCommand(type: string, value: unknown): string {
  if (value === null || value === '') throw invalid('procfile', "Command can't be empty for process type")
  if (!isProcessType(type)) throw invalid('procfile', processTypeFault)
  const command = typeof value === 'boolean' ? null : textOfValue(value)
  if (command === null) throw invalid('procfile', 'Not a valid string.')
  if (Buffer.byteLength(command) > longestCommand) {
    throw invalid('procfile', `Ensure this field has no more than ${longestCommand} characters.`)
  }
  return command
}

export interface ProcfilePolicy {
  /** Whether a build that lacks types of the one before is refused. */
  readonly rejectMissing: boolean
  /** Whether types that are missing are scaled to nothing; if not, an empty Procfile inherits the one before. */
  readonly removeMissing: boolean
}

/** Types that were there and are no more. */
export function missingTypes(before: Procfile, after: Procfile): readonly string[] {
  return Object.keys(before).filter(type => !Object.hasOwn(after, type))
}

/** The Procfile that a new build gets. Refuses it when the policy says so. */
export function succeedProcfile(before: Procfile, after: Procfile, policy: ProcfilePolicy): Procfile {
  const missing = missingTypes(before, after)
  if (missing.length === 0) return after
  if (policy.rejectMissing) {
    throw new Refusal('conflict', `Last deployed process types ${missing.join(', ')} are missing in the new Procfile`)
  }
  return !policy.removeMissing && Object.keys(after).length === 0 ? before : after
}

/** The structure without processes of the types that a build lacks. */
export function withoutTypes(structure: Structure, missing: readonly string[]): Structure {
  const gone = new Set(missing)
  return Object.fromEntries(Object.entries(structure).map(([type, count]) => [type, gone.has(type) ? 0 : count]))
}
