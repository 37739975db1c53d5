import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { chunks } from '../support/payload.ts'
import { startPods } from '../support/pods.ts'
import { Workbench } from '../support/workbench.ts'
import { download, talk } from './long-lived.ts'

const open: Server[] = []
afterEach(async () => {
  for (const server of open.splice(0)) {
    server.closeAllConnections()
    await once(server.close(), 'close')
  }
})

async function listen(server: Server): Promise<number> {
  open.push(server)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return (server.address() as AddressInfo).port
}

test('with the pods themselves, everything arrives', async () => {
  await using bench = new Workbench()
  const pods = await startPods(bench, '127.0.0.1')
  expect(await download(pods.a, 'a.example', 300_000, 0)).toMatchObject({ bytes: 300_000, whole: true, trouble: null })
  const talking = await talk(pods.b, 'a.example')
  expect(await talking.end()).toMatchObject({ stayedOpen: true })
})

const broken: [name: string, serve: (server: Server) => void, want: RegExp][] = [
  [
    'a body that is cut',
    server =>
      server.on('request', (_request, response) => {
        response.writeHead(200, { 'Content-Length': 100_000 })
        response.write(Buffer.alloc(50_000), () => response.destroy())
      }),
    /aborted/,
  ],
  [
    'a piece that comes twice',
    server =>
      server.on('request', (_request, response) => {
        const [first] = [...chunks(131_072)]
        response.end(Buffer.concat([first!, first!]))
      }),
    /not those that were sent/,
  ],
  ['an error', server => server.on('request', (_request, response) => response.writeHead(502).end()), /status 502/],
]
for (const [name, serve, want] of broken)
  test(`download: ${name} is found out`, async () => {
    const server = createServer()
    serve(server)
    const outcome = await download(await listen(server), 'a.example', 131_072, 0)
    expect(outcome.whole).toBe(false)
    expect(outcome.trouble).toMatch(want)
  })

test('WebSocket: a cut is found out', async () => {
  const server = createServer()
  const cut = Promise.withResolvers<void>()
  new WebSocketServer({ server }).on('connection', socket => {
    socket.on('close', () => cut.resolve())
    socket.on('message', () => socket.terminate())
  })
  const talking = await talk(await listen(server), 'a.example')
  await cut.promise
  const outcome = await talking.end()
  expect(outcome.sent).toBeGreaterThan(0)
  expect(outcome.echoed).toBe(0)
})
