import { expect, test } from 'vitest'
import { parseH2load } from './h2load.ts'

const output = (protocol = 'h2') => `starting benchmark...
TLS Protocol: TLSv1.3
Application protocol: ${protocol}

finished in 2.00s, 2000.00 req/s, 138.80KB/s
requests: 5 total, 6 started, 5 done, 3 succeeded, 2 failed, 2 errored, 0 timeout
status codes: 3 2xx, 1 3xx, 0 4xx, 0 5xx
`
const line = (status: number, microseconds: number) => `1795896706350532\t${status}\t${microseconds}\n`

test('percentiles are those of the answers that were right, in milliseconds', () => {
  const requests = [line(200, 1_500), line(200, 2_500), line(302, 9), line(-1, 7), line(204, 500)].join('')
  expect(parseH2load(output(), requests)).toEqual({ requests: 5, p50Ms: 1.5, p99Ms: 2.5, failures: 2 })
})

const broken: [name: string, output: string, want: RegExp][] = [
  ['a run that never got to its end', 'starting benchmark...\n', /printed no summary/],
  ['another protocol than HTTP/2', output('http/1.1'), /agreed on http\/1.1/],
  ['no protocol at all', output().replace(/^Application.*\n/m, ''), /agreed on nothing/],
]
for (const [name, text, want] of broken)
  test(`refused: ${name}`, () => expect(() => parseH2load(text, '')).toThrow(want))
