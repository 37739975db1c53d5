// autocannon, for machines without wrk. It is a Node program and costs several times what a fast proxy does, so the
// proxy is rarely at its limit; CPU time per request still holds, requests per second do not.

import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { pinnedNode } from '../../support/router-process.ts'
import type { LoadGenerator, LoadResult } from '../load.ts'

export const autocannon: LoadGenerator = {
  name: 'autocannon',
  version: () => packageVersion() ?? 'unknown',
  absence: () => (packageVersion() === null ? 'autocannon is not installed (npm ci)' : null),
  prepare(plan, stem) {
    writeFileSync(`${stem}.json`, JSON.stringify(plan))
    const program = fileURLToPath(import.meta.resolve('./autocannon-run.ts'))
    return { program: pinnedNode(), args: [program, `${stem}.json`] }
  },
  parse: parseAutocannon,
}

/** Reads autocannon's JSON; its latencies are whole milliseconds or coarser than wrk's. */
export function parseAutocannon(output: string): LoadResult {
  let result: unknown
  try {
    result = JSON.parse(output)
  } catch {
    throw new Error(`autocannon printed no JSON: ${output.slice(-300)}`)
  }
  const number = (...path: string[]): number => {
    const value = path.reduce((at: unknown, key) => (at as Record<string, unknown> | undefined)?.[key], result)
    if (typeof value !== 'number') throw new Error(`autocannon's result lacks ${path.join('.')}`)
    return value
  }
  return {
    requests: number('requests', 'total'),
    p50Ms: number('latency', 'p50'),
    p99Ms: number('latency', 'p99'),
    // Timeouts count among the errors already.
    failures: number('errors') + number('non2xx'),
  }
}

function packageVersion(): string | null {
  try {
    const file = new URL('./package.json', import.meta.resolve('autocannon'))
    return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
  } catch {
    return null
  }
}
