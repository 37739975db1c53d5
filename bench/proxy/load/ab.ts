// ab of Apache: a connection for each request, and for each connection a full TLS handshake, as it keeps no sessions.

import { readFileSync } from 'node:fs'
import { findProgram, programVersion } from '../../support/machine.ts'
import type { LoadGenerator, LoadPlan, LoadResult } from '../load.ts'

export const ab: LoadGenerator = {
  name: 'ab',
  version: () => programVersion('ab', ['-V'], /Version (\S+)/) ?? 'unknown',
  absence: () => (findProgram('ab') === null ? 'no ab on this machine (Debian: apt-get install apache2-utils)' : null),
  prepare: (plan, stem) => ({ program: findProgram('ab')!, args: argumentsOf(plan, stem) }),
  parse: (output, stem) => parseAb(output, readFileSync(`${stem}.percentiles`, 'utf8')),
}

/** Every request of ab has the same host, which is the server name too, and no body. */
function argumentsOf({ scheme, port, path, hosts, connections, seconds }: LoadPlan, stem: string): string[] {
  return [
    // With a time and no number it would stop at 50,000.
    ...['-q', '-d', '-t', String(seconds), '-n', '100000000', '-c', String(connections), '-s', '5'],
    ...['-H', `Host: ${hosts[0]}`, '-e', `${stem}.percentiles`, `${scheme}://127.0.0.1:${port}${path}`],
  ]
}

/** `percentiles`: `PERCENT,MILLISECONDS` for each per cent, below a heading. */
export function parseAb(output: string, percentiles: string): LoadResult {
  const count = (name: string): number | null => {
    const match = new RegExp(`^${name}: +([0-9]+)$`, 'm').exec(output)
    return match === null ? null : Number(match[1])
  }
  const requests = count('Complete requests')
  const failed = count('Failed requests')
  if (requests === null || failed === null) throw new Error(`ab printed no summary: ${output.slice(-300)}`)
  const milliseconds = (percent: number): number => {
    const match = new RegExp(`^${percent},([0-9.]+)$`, 'm').exec(percentiles)
    if (match === null) throw new Error(`ab wrote no ${percent} %: ${percentiles.slice(0, 300)}`)
    return Number(match[1])
  }
  return {
    requests,
    p50Ms: milliseconds(50),
    p99Ms: milliseconds(99),
    // An answer of another length than the first counts as failed too: all of ours are alike.
    failures: failed + (count('Non-2xx responses') ?? 0),
  }
}
