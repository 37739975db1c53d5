// wrk with a script of ours: it draws a random host for each request and prints what it measured as JSON, to the
// microsecond, where wrk's own text is rounded.

import { writeFileSync } from 'node:fs'
import { findProgram, programVersion } from '../../support/machine.ts'
import type { LoadGenerator, LoadPlan, LoadResult } from '../load.ts'

export const wrk: LoadGenerator = {
  name: 'wrk',
  version: () => programVersion('wrk', ['-v'], /wrk (\S+)/) ?? 'unknown',
  absence: () => (findProgram('wrk') === null ? 'no wrk on this machine (Debian: apt-get install wrk)' : null),
  prepare(plan, stem) {
    writeFileSync(`${stem}.lua`, script(plan))
    const { connections, seconds, scheme, port, path } = plan
    const args = ['-t', '1', '-c', String(connections), '-d', `${seconds}s`, '--timeout', '5s', '--latency']
    return {
      program: findProgram('wrk')!,
      args: [...args, '-s', `${stem}.lua`, `${scheme}://127.0.0.1:${port}${path}`],
    }
  },
  parse: parseWrk,
}

/** The script; host names hold no character that Lua would read as anything else. */
export function script(plan: LoadPlan): string {
  const head = `
wrk.method = "${plan.method}"
wrk.headers["Host"] = "${plan.hosts[0]}"
${plan.asksForGzip ? 'wrk.headers["Accept-Encoding"] = "gzip"' : ''}
${plan.requestBytes === 0 ? '' : `wrk.body = string.rep("x", ${plan.requestBytes})`}
`
  const random = `
local requests = {}
function init()
  math.randomseed(1)
  for host in ("${plan.hosts.join(' ')}"):gmatch("%S+") do
    wrk.headers["Host"] = host
    requests[#requests + 1] = wrk.format()
  end
end
function request()
  return requests[math.random(#requests)]
end
`
  const tail = `
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    'measured {"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"failures":%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
`
  return head + (plan.hosts.length > 1 ? random : '') + tail
}

/** Reads the line that the script printed last. */
export function parseWrk(output: string): LoadResult {
  const match = /^measured (\{.*\})$/m.exec(output)
  if (match === null) throw new Error(`wrk printed no measurement: ${output.slice(-300)}`)
  const fields = JSON.parse(match[1]!) as Record<string, unknown>
  const number = (name: string): number => {
    const value = fields[name]
    if (typeof value !== 'number') throw new Error(`wrk's measurement lacks ${name}: ${match[1]}`)
    return value
  }
  return {
    requests: number('requests'),
    p50Ms: number('p50') / 1_000,
    p99Ms: number('p99') / 1_000,
    failures: number('failures'),
  }
}
