import { expect, test } from 'vitest'
import { parseAutocannon } from './autocannon.ts'

const result = {
  errors: 1,
  timeouts: 1,
  non2xx: 4,
  requests: { average: 9000, total: 18_000 },
  latency: { p50: 7, p99: 15, max: 40 },
}

test('totals, latencies and failures are read', () => {
  expect(parseAutocannon(JSON.stringify(result))).toEqual({ requests: 18_000, p50Ms: 7, p99Ms: 15, failures: 5 })
})

const broken: [name: string, output: string, want: RegExp][] = [
  ['no JSON', 'Error: connect ECONNREFUSED', /printed no JSON: Error: connect/],
  ['a field is missing', JSON.stringify({ ...result, latency: { p50: 7 } }), /lacks latency.p99/],
  ['another shape', '[]', /lacks requests.total/],
  ['null', 'null', /lacks requests.total/],
]
for (const [name, text, want] of broken)
  test(`refused: ${name}`, () => expect(() => parseAutocannon(text)).toThrow(want))
