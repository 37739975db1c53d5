import { expect, test } from 'vitest'
import type { LoadPlan } from '../load.ts'
import { parseWrk, script } from './wrk.ts'

const output = `Running 2s test @ http://127.0.0.1:36177/1k
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.06ms  413.00us   6.30ms   79.11%
    Req/Sec    60.32k     3.11k   64.12k    70.00%
  Latency Distribution
     50%    0.98ms
     99%    2.30ms
  120130 requests in 2.00s, 140.92MB read
Requests/sec:  60049.11
Transfer/sec:     70.44MB
`

test('what the script measured is read, latencies in milliseconds', () => {
  const line = 'measured {"requests":120130,"microseconds":2000528,"p50":981,"p99":2297,"failures":3}\n'
  expect(parseWrk(output + line)).toEqual({ requests: 120_130, p50Ms: 0.981, p99Ms: 2.297, failures: 3 })
})

const broken: [name: string, output: string, want: RegExp][] = [
  ['a run that never got to its end', output, /printed no measurement/],
  ['nothing', '', /printed no measurement/],
  ['a field is missing', 'measured {"requests":1,"p50":1,"p99":1}\n', /lacks failures/],
  ['a field is no number', 'measured {"requests":"1","p50":1,"p99":1,"failures":0}\n', /lacks requests/],
]
for (const [name, text, want] of broken) test(`refused: ${name}`, () => expect(() => parseWrk(text)).toThrow(want))

const plan: LoadPlan = {
  scheme: 'http',
  port: 80,
  method: 'GET',
  path: '/1k',
  requestBytes: 0,
  asksForGzip: false,
  hosts: ['a.example'],
  connections: 1,
  streams: 1,
  seconds: 1,
}

test('one host needs no script per request', () => {
  expect(script(plan)).toContain('wrk.headers["Host"] = "a.example"')
  expect(script(plan)).not.toContain('function request')
  expect(script(plan)).not.toContain('wrk.body')
})

test('many hosts are drawn at random from requests made beforehand', () => {
  const text = script({ ...plan, hosts: ['a.example', 'b.example'] })
  expect(text).toContain('("a.example b.example"):gmatch')
  expect(text).toContain('requests[math.random(#requests)]')
  // wrk.init calls init: calling it from there would never end.
  expect(text).not.toContain('wrk.init')
})

test('an upload has a body of its size', () => {
  expect(script({ ...plan, method: 'POST', requestBytes: 16_384 })).toContain('string.rep("x", 16384)')
})
