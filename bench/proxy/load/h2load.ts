// h2load of nghttp2: connections with many streams each. Its own summary has no percentiles, so they come from the log
// that it writes of every request.

import { readFileSync, rmSync } from 'node:fs'
import { findProgram, programVersion } from '../../support/machine.ts'
import { percentile } from '../../support/statistics.ts'
import type { LoadGenerator, LoadPlan, LoadResult } from '../load.ts'

export const h2load: LoadGenerator = {
  name: 'h2load',
  version: () => programVersion('h2load', ['--version'], /nghttp2\/(\S+)/) ?? 'unknown',
  absence: () =>
    findProgram('h2load') === null ? 'no h2load on this machine (Debian: apt-get install nghttp2-client)' : null,
  prepare(plan, stem) {
    // It appends, and what others were measured at is not to be counted again.
    rmSync(`${stem}.requests`, { force: true })
    return { program: findProgram('h2load')!, args: argumentsOf(plan, stem) }
  },
  parse: (output, stem) => parseH2load(output, readFileSync(`${stem}.requests`, 'utf8')),
}

/** Every request of h2load has the same host, and no body. */
function argumentsOf({ scheme, port, path, hosts, connections, streams, seconds }: LoadPlan, stem: string): string[] {
  const [host] = hosts as [string]
  return [
    ...['-t', '1', '-c', String(connections), '-m', String(streams), '-D', String(seconds)],
    // What every other client of this bench agrees on.
    ...['--tls13-ciphers', 'TLS_AES_256_GCM_SHA384'],
    ...[`--log-file=${stem}.requests`, `--connect-to=127.0.0.1:${port}`, `${scheme}://${host}:${port}${path}`],
  ]
}

/** `requests`: a line for each, with its start, status and microseconds, separated by tabs. */
export function parseH2load(output: string, requests: string): LoadResult {
  const totals = /^requests: \d+ total, \d+ started, (\d+) done, \d+ succeeded/m.exec(output)
  if (totals === null) throw new Error(`h2load printed no summary: ${output.slice(-300)}`)
  const protocol = /^Application protocol: (\S+)/m.exec(output)?.[1] ?? 'nothing'
  if (!protocol.startsWith('h2')) throw new Error(`h2load agreed on ${protocol}, not on HTTP/2`)
  const times: number[] = []
  let failures = 0
  for (const line of requests.split('\n')) {
    const [, status, microseconds] = line.split('\t').map(Number)
    if (microseconds === undefined) continue
    // A status of -1: the stream, or all of its connection, was ended.
    if (status! >= 200 && status! < 300) times.push(microseconds)
    else failures += 1
  }
  const milliseconds = (share: number): number => (percentile(times, share) ?? 0) / 1_000
  return { requests: times.length + failures, p50Ms: milliseconds(0.5), p99Ms: milliseconds(0.99), failures }
}
