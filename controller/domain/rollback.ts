// Which release a rollback goes back to (controller contract, section 5, Releases).

import type { Release } from './app.ts'
import { invalid, Refusal } from './refusal.ts'

/** Most that a database's integer holds. */
const largestVersion = 2 ** 31 - 1

/** The version asked for, or without one the one before `current`, which is the latest that did not fail. */
export function rollbackVersion(current: Pick<Release, 'version'>, requested: unknown): number {
  const version = requested === undefined || requested === null ? current.version - 1 : integerOf(requested)
  if (version < 1) throw new Refusal('illogical', 'version cannot be below 0')
  if (version === 1) throw new Refusal('illogical', 'Cannot roll back to initial release.')
  if (version > largestVersion) throw noSuchRelease()
  return version
}

function integerOf(raw: unknown): number {
  const version = typeof raw === 'string' && /^\s*-?[0-9]{1,20}\s*$/.test(raw) ? Number(raw) : raw
  if (!Number.isInteger(version)) throw invalid('version', 'A valid integer is required.')
  return version as number
}

/** Checks what was found under that version. */
export function checkRollback(
  current: Pick<Release, 'build'>,
  target: Pick<Release, 'state' | 'build'> | null,
): asserts target is Release {
  if (target === null) throw noSuchRelease()
  if (target.state !== 'succeeded') throw new Refusal('illogical', 'Cannot roll back to failed release.')
  // What runs cannot be replaced by nothing.
  if (target.build === null && current.build !== null) {
    throw new Refusal('illogical', 'No build associated with this release')
  }
}

function noSuchRelease(): Refusal {
  return new Refusal('illogical', 'Release matching query does not exist.')
}
