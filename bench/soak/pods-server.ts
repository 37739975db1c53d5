// The pods of the soak in one process: `node pods-server.ts ADDRESS` prints the port on which it is told what to do.
//   POST   /pods?app=NAME&kind=KIND  starts a pod; its port
//   GET    /pods/PORT                when a request last reached it, and how late this process is
//   DELETE /pods/PORT                stops accepting, lets all end that is open, and answers when the pod is gone
// Kind `usual` is an app (`app-server.ts`), kind `hasty` one that closes idle connections at the worst moment.

import { once } from 'node:events'
import { createServer, type Server as HttpServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { createApp } from '../support/app-server.ts'
import { Lag, sharedClock } from './lag.ts'

interface Pod {
  readonly server: Server
  readonly sockets: Set<Socket>
  lastArrival: number
}

const address = process.argv[2] ?? '127.0.0.1'
const pods = new Map<number, Pod>()
const lag = new Lag()

const control = createServer(async (request, response) => {
  const url = new URL(request.url ?? '/', 'http://pods')
  const port = Number(url.pathname.split('/')[2])
  const answer = async (): Promise<unknown> => {
    if (request.method === 'POST') return { port: await start(url.searchParams) }
    const pod = pods.get(port)
    if (pod === undefined) throw new Error(`no pod on port ${port}`)
    if (request.method === 'DELETE') await end(port, pod)
    return { lastArrival: pod.lastArrival, lag: lag.longest }
  }
  response.end(JSON.stringify(await answer().catch((error: Error) => ({ error: error.message }))))
})
await once(control.listen(0, '127.0.0.1'), 'listening')
console.log((control.address() as AddressInfo).port)

async function start(query: URLSearchParams): Promise<number> {
  const name = query.get('app') ?? 'app'
  const sockets = new Set<Socket>()
  const server = query.get('kind') === 'hasty' ? hasty(name) : createApp(name)
  const pod: Pod = { server, sockets, lastArrival: 0 }
  const arrived = (): void => {
    pod.lastArrival = sharedClock()
  }
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.on('request', (_request: IncomingMessage) => arrived())
  server.on('upgrade', arrived)
  await once(server.listen(0, address), 'listening')
  const { port } = server.address() as AddressInfo
  pods.set(port, pod)
  return port
}

/** As a pod ends in good order: what is idle is closed, what is open goes on to its end. */
async function end(port: number, { server, sockets }: Pod): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  if ('closeIdleConnections' in server) (server as HttpServer).closeIdleConnections()
  // Tunnels are no business of the server any more, which is closed without them.
  await closed
  await Promise.all([...sockets].map(socket => once(socket, 'close')))
  pods.delete(port)
}

/** Answers GETs, keeps the connection, and closes it a moment later without a word, as if just when the next one comes. */
function hasty(name: string): Server {
  return createTcpServer(socket => {
    let head = ''
    let closing: NodeJS.Timeout | undefined
    socket.on('error', () => {})
    socket.on('close', () => clearTimeout(closing))
    socket.on('data', octets => {
      head += octets.toString('latin1')
      for (let at = head.indexOf('\r\n\r\n'); at >= 0; at = head.indexOf('\r\n\r\n')) {
        const host = /^host: *(.*?)\r?$/im.exec(head.slice(0, at))?.[1]
        const body = `${name} ${host}`
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
        head = head.slice(at + 4)
        clearTimeout(closing)
        closing = setTimeout(() => socket.destroy(), Math.random() * 10)
      }
    })
  })
}
