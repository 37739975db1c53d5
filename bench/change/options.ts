// The command line of the change bench.

import { Command, Option } from 'commander'
import { exitOnMistake, namesOf, wholeNumber } from '../support/arguments.ts'
import type { ApiKind } from './cluster-api.ts'

const parts = ['speed', 'loss'] as const

export interface Options {
  readonly api: ApiKind
  readonly parts: readonly (typeof parts)[number][]
  readonly changes: number
  readonly table: number
  readonly routes: number
  readonly seconds: number
  readonly rate: number
  readonly bytes: number
  readonly workers: number
  readonly json: string | null
}

/** Prints help or what is wrong and ends the process (exit code 64) when the arguments ask for it. */
export function parseOptions(args: readonly string[], cpus: number): Options {
  const command = exitOnMistake(new Command('npm run bench:change --'))
    .description('Measures how fast a change reaches traffic, and whether anything is lost. See bench/README.md.')
    .addOption(new Option('--api <kind>', 'API server').choices(['fake', 'real']).default('fake'))
    .option('--parts <names>', `comma list of ${parts.join(', ')}`, namesOf(parts), [...parts])
    .option('--changes <n>', 'changes of each kind (speed)', wholeNumber, 200)
    .option('--table <n>', 'routes that are there all the time', wholeNumber, 5_000)
    .option('--routes <n>', 'routes added, changed and removed (loss)', wholeNumber, 1_000)
    .option('--seconds <n>', 'time over which they are added (loss)', wholeNumber, 15)
    .option('--rate <n>', 'requests per second (loss)', wholeNumber, 1_000)
    .option('--bytes <n>', 'size of the download (loss)', wholeNumber, 100_000_000)
    .option('--workers <n>', 'data threads of the router', wholeNumber, cpus)
    .option('--json <file>', 'where the result goes (default: bench/results, named by date)')
    .parse(args, { from: 'user' })
  const values = command.opts<Omit<Options, 'json'> & { json?: string }>()
  return { ...values, json: values.json ?? null }
}
