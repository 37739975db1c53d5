import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createSecureServer, type ServerHttp2Session } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { selfSign } from '#kit/self-signed.ts'
import { Workbench } from '../../support/workbench.ts'
import { h2load, parseH2load } from './h2load.ts'

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

test.runIf(h2load.absence() === null)(
  'each run is told for itself, though its log has the name of the last one',
  async () => {
    await using bench = new Workbench()
    const { chain, key } = selfSign(['a.bench.example'], 30, Date.now())
    let served = 0
    const sessions = new Set<ServerHttp2Session>()
    const server = createSecureServer({ cert: chain, key }, (_request, response) => {
      served += 1
      response.end('ok')
    })
    server.on('session', session => sessions.add(session))
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const plan = {
      ...{ scheme: 'https' as const, port: (server.address() as AddressInfo).port, method: 'GET' as const, path: '/' },
      ...{ requestBytes: 0, asksForGzip: false, hosts: ['a.bench.example'], connections: 2, streams: 4, seconds: 1 },
    }
    for (let run = 0; run < 2; run++) {
      served = 0
      const stem = bench.path('load')
      const running = await bench.start({ name: 'h2load', ...h2load.prepare(plan, stem) })
      expect(await running.ended).toBe(0)
      const { requests, failures } = h2load.parse(readFileSync(running.stdout, 'utf8'), stem)
      expect(requests).toBeGreaterThan(0)
      expect(requests).toBeLessThanOrEqual(served)
      expect(failures).toBe(0)
    }
    for (const session of sessions) session.destroy()
    const closed = once(server, 'close')
    server.close()
    await closed
  },
)
