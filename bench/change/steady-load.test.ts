import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { SteadyLoad } from './steady-load.ts'

async function serve(listener: RequestListener): Promise<Server & AsyncDisposable> {
  const server = createServer(listener)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const dispose = async () => {
    server.closeAllConnections()
    await once(server.close(), 'close')
  }
  return Object.assign(server, { [Symbol.asyncDispose]: dispose })
}

function loadOf(server: Server): SteadyLoad {
  const { port } = server.address() as AddressInfo
  return new SteadyLoad({ port, connections: 8, requestsPerSecond: 500 })
}

test('every request is sent once and every kind of failure is counted', async () => {
  let seen = 0
  const enough = Promise.withResolvers<void>()
  await using server = await serve((request, response) => {
    seen += 1
    if (seen === 5) response.writeHead(502).end()
    else if (seen === 10) request.socket.destroy()
    else if (seen === 15) response.end('A other.example')
    else response.end(`${seen % 2 === 0 ? 'A' : 'B'} ${request.headers.host}`)
    if (seen === 40) enough.resolve()
  })
  const load = loadOf(server)
  load.include('a.example')
  load.start()
  await enough.promise
  const totals = await load.stop()
  expect(totals.sent).toBe(seen)
  expect(totals.failed).toBe(3)
  expect(totals.failures).toMatchObject({ 'status 502': 1, 'wrong body': 1 })
  expect(totals.maxMs).toBeGreaterThanOrEqual(totals.p99Ms)
})

test('an excluded host is asked no more, and its open requests are waited for', async () => {
  const held: (() => void)[] = []
  const firstHeld = Promise.withResolvers<void>()
  const twentyOthers = Promise.withResolvers<void>()
  let holding = true
  const asked = { a: 0, b: 0 }
  await using server = await serve((request, response) => {
    const { host = '' } = request.headers
    const answer = () => void response.end(`A ${host}`)
    if (host === 'a.example') asked.a += 1
    else asked.b += 1
    if (asked.b === 20) twentyOthers.resolve()
    if (!holding) answer()
    else if (held.push(answer) === 1) firstHeld.resolve()
  })
  const load = loadOf(server)
  load.include('a.example')
  load.start()
  await firstHeld.promise
  let excluded = false
  const excluding = load.exclude('a.example').then(() => {
    excluded = true
  })
  await new Promise(resolve => setImmediate(resolve))
  expect(excluded).toBe(false)
  holding = false
  for (const answer of held) answer()
  await excluding
  const before = asked.a
  load.include('b.example')
  await twentyOthers.promise
  const totals = await load.stop()
  expect(asked.a).toBe(before)
  expect(totals.failed).toBe(0)
})
