// An app as the benches need it. Every path but these answers with its name and the host:
//   GET  /download?bytes=N&seconds=S   N bytes (`payload.ts`), spread over S seconds; at full speed without S
//   POST /upload?stall=MS&after=N      the number of bytes received; reading rests for MS once N have come
//   GET  /echo with Upgrade            a WebSocket that sends back what it is sent

import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { WebSocketServer } from 'ws'
import { chunks } from './payload.ts'

/** Not listening yet. */
export function createApp(name: string): Server {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://backend')
    // A client that goes away ends what it asked for, nothing else.
    const done = (work: Promise<void>) => void work.catch(() => response.destroy())
    if (url.pathname === '/download') done(download(url.searchParams, response))
    else if (url.pathname === '/upload') done(upload(url.searchParams, request, response))
    else response.end(`${name} ${request.headers.host}`)
  })
  server.keepAliveTimeout = 0
  const sockets = new WebSocketServer({ server, path: '/echo' })
  sockets.on('connection', socket => {
    socket.on('error', () => {})
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
  })
  return server
}

async function download(query: URLSearchParams, response: ServerResponse): Promise<void> {
  const bytes = Number(query.get('bytes'))
  const milliseconds = Number(query.get('seconds') ?? 0) * 1_000
  response.writeHead(200, { 'Content-Length': bytes, 'Content-Type': 'application/octet-stream' })
  const started = performance.now()
  let sent = 0
  for (const chunk of chunks(bytes)) {
    sent += chunk.length
    if (response.destroyed) return
    if (!response.write(chunk)) await once(response, 'drain')
    const due = (sent / bytes) * milliseconds - (performance.now() - started)
    if (due > 5) await delay(due)
  }
  response.end()
}

async function upload(query: URLSearchParams, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const after = Number(query.get('after') ?? 0)
  let stall = Number(query.get('stall') ?? 0)
  let received = 0
  for await (const chunk of request) {
    received += (chunk as Buffer).length
    if (stall > 0 && received >= after) {
      await delay(stall)
      stall = 0
    }
  }
  response.end(String(received))
}
