import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { expect, test } from 'vitest'
import { selfSign } from '#kit/self-signed.ts'
import { Workbench } from '../../support/workbench.ts'
import type { LoadPlan } from '../load.ts'
import { ab, parseAb } from './ab.ts'

const output = `Concurrency Level:      32
Complete requests:      4959
Failed requests:        2
   (Connect: 0, Receive: 0, Length: 2, Exceptions: 0)
Non-2xx responses:      3
`
const percentiles = 'Percentage served,Time in ms\n0,8.718\n5,1.0\n50,19.365\n99,29.100\n'

test('answers of another length and those that are no success count as failures', () => {
  expect(parseAb(output, percentiles)).toEqual({ requests: 4_959, p50Ms: 19.365, p99Ms: 29.1, failures: 5 })
  expect(parseAb(output.replace(/^Non-2xx.*\n/m, ''), percentiles).failures).toBe(2)
})

const broken: [name: string, output: string, percentiles: string, want: RegExp][] = [
  ['a run that never got to its end', 'Benchmarking\n', percentiles, /printed no summary/],
  ['no percentiles', output, '', /wrote no 50 %/],
]
for (const [name, text, table, want] of broken)
  test(`refused: ${name}`, () => expect(() => parseAb(text, table)).toThrow(want))

test.runIf(ab.absence() === null)('each request has a connection and a full handshake of its own', async () => {
  await using bench = new Workbench()
  const { chain, key } = selfSign(['a.bench.example'], 30, Date.now())
  let handshakes = 0
  let resumed = 0
  const hosts = new Set<string>()
  const server = createServer({ cert: chain, key, minVersion: 'TLSv1.3' }, (request, response) => {
    hosts.add(`${request.headers.host} ${(request.socket as TLSSocket & { servername: string }).servername}`)
    response.end('ok')
  })
  server.on('secureConnection', socket => {
    handshakes += 1
    if (socket.isSessionReused()) resumed += 1
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const stem = bench.path('load')
  const { port } = server.address() as AddressInfo
  const plan: LoadPlan = {
    scheme: 'https',
    port,
    method: 'GET',
    path: '/',
    requestBytes: 0,
    asksForGzip: false,
    hosts: ['a.bench.example'],
    connections: 4,
    streams: 1,
    seconds: 1,
  }
  const running = await bench.start({ name: 'ab', ...ab.prepare(plan, stem) })
  expect(await running.ended).toBe(0)
  const { requests, failures } = ab.parse(readFileSync(running.stdout, 'utf8'), stem)
  expect(requests).toBeGreaterThan(0)
  expect(failures).toBe(0)
  // Those under way when the time was over are not counted by ab.
  expect(handshakes).toBeGreaterThanOrEqual(requests)
  expect(resumed).toBe(0)
  expect([...hosts]).toEqual(['a.bench.example a.bench.example'])
  server.closeAllConnections()
  await once(server.close(), 'close')
})
