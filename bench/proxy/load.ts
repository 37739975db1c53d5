// What a load generator must offer. It is a process of its own, pinned away from the proxy.

import type { Case } from './cases.ts'
import { ab } from './load/ab.ts'
import { autocannon } from './load/autocannon.ts'
import { h2load } from './load/h2load.ts'
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
  /** Requests under way on a connection at once; above 1 only over HTTP/2. */
  readonly streams: number
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
  /** Program and arguments; may write a script, and have results written, to `stem` plus an extension. */
  prepare(plan: LoadPlan, stem: string): { readonly program: string; readonly args: readonly string[] }
  /** Throws when the output, or what was written beside it, is not that of a finished run. */
  parse(output: string, stem: string): LoadResult
}

/**
 * Who can do the work, best first. wrk costs a tenth of what autocannon does, so the proxy has more of the machine; it
 * resumes TLS sessions when it connects anew, so that handshakes are ab's.
 */
export function chooseLoad({ protocol, freshConnections }: Case): LoadGenerator {
  if (protocol === 'h2') return h2load
  if (freshConnections) return ab
  return wrk.absence() === null ? wrk : autocannon
}
