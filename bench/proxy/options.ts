// The command line of the proxy bench.

import { Command } from 'commander'
import { exitOnMistake, namesOf, wholeNumber } from '../support/arguments.ts'
import { cases } from './cases.ts'
import { subjects } from './subjects.ts'

export interface Options {
  /** Names from `cases.ts`, in its order. */
  readonly cases: readonly string[]
  /** Names of proxies. */
  readonly only: readonly string[]
  readonly repeats: number
  readonly seconds: number
  readonly warmup: number
  readonly connections: number
  /** Null: a file in `bench/results` named by date. */
  readonly json: string | null
}

/** Prints help or what is wrong and ends the process (exit code 64) when the arguments ask for it. */
export function parseOptions(args: readonly string[]): Options {
  const caseNames = cases.map(({ name }) => name)
  const subjectNames = subjects.map(({ name }) => name)
  const command = exitOnMistake(new Command('npm run bench --'))
    .description('Measures the router beside nginx, HAProxy and http-proxy-3 on the same work. See bench/README.md.')
    .option('--cases <names>', `comma list of ${caseNames.join(', ')}`, namesOf(caseNames), caseNames)
    .option('--only <names>', `comma list of ${subjectNames.join(', ')}`, namesOf(subjectNames), subjectNames)
    .option('--repeats <n>', 'interleaved measurements of each proxy', wholeNumber, 5)
    .option('--seconds <n>', 'length of one measurement', wholeNumber, 4)
    .option('--warmup <n>', 'seconds of load before the first measurement', wholeNumber, 3)
    .option('--connections <n>', 'client connections', wholeNumber, 64)
    .option('--json <file>', 'where the result goes (default: bench/results, named by date)')
    .parse(args, { from: 'user' })
  return { ...command.opts<Omit<Options, 'json'>>(), json: command.opts<{ json?: string }>().json ?? null }
}
