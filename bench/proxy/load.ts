// What a load generator must offer. It is a process of its own, pinned away from the proxy.

import { autocannon } from './load/autocannon.ts'
import { wrk } from './load/wrk.ts'

export interface LoadPlan {
  readonly scheme: 'http' | 'https'
  readonly port: number
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly requestBytes: number
  /** Whether requests ask for gzip. */
  readonly asksForGzip: boolean
  /** Each request draws one of these. */
  readonly hosts: readonly string[]
  readonly connections: number
  /** Whole seconds. */
  readonly seconds: number
}

/** What the generator saw over its whole run. */
export interface LoadResult {
  readonly requests: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Answers that were no success, and connections or requests that broke. */
  readonly failures: number
}

export interface LoadGenerator {
  readonly name: string
  version(): string
  absence(): string | null
  /** Program and arguments; may write a script to `stem` plus an extension. */
  prepare(plan: LoadPlan, stem: string): { readonly program: string; readonly args: readonly string[] }
  /** Throws when the output is not that of a finished run. */
  parse(output: string): LoadResult
}

/** wrk when it is there: it costs a tenth of what autocannon does, so the proxy has more of the machine. */
export function chooseLoad(): LoadGenerator {
  return wrk.absence() === null ? wrk : autocannon
}
