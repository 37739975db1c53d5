// Where results are kept: one JSON file for each run, with what it was measured on and no host name or path in it.

import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Machine } from './machine.ts'

/** What every result begins with. */
export interface ResultHead {
  /** ISO 8601, UTC. */
  readonly date: string
  readonly command: string
  readonly machine: Machine
}

/**
 * Writes to `file`, or to `bench/results/DATE-KIND.json` when null; returns how to call that file. `kind` is a word
 * for the file name.
 */
export function saveResult<R extends ResultHead>(kind: string, result: R, file: string | null): string {
  const name = `${result.date.slice(0, 19).replace('T', '-').replaceAll(':', '')}-${kind}.json`
  const path = file ?? join(import.meta.dirname, '..', 'results', name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${JSON.stringify(result, null, 2)}\n`)
  return file ?? join('bench', 'results', name)
}
