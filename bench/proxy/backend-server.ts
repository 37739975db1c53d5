// The backend for machines without nginx: `node backend-server.ts PORT STATUS_PORT`. Paths as in `backend.ts`.

import { createServer, type RequestListener } from 'node:http'
import { jsonBody } from './json-body.ts'

const [port, statusPort] = process.argv.slice(2).map(Number) as [number, number]
const bodies = new Map([
  ['/1k', Buffer.alloc(1_024, 'x')],
  ['/1m', Buffer.alloc(1_000_000, 'x')],
  ['/json', Buffer.from(jsonBody)],
])
let requests = 0
let connections = 0

const serve: RequestListener = (request, response) => {
  requests += 1
  const { url = '', headers } = request
  request.resume()
  if (url === '/forwarded') {
    const told = ['for', 'proto', 'port'].map(name => headers[`x-forwarded-${name}`] ?? '')
    response.end(told.join(' '))
    return
  }
  const body = bodies.get(url)
  if (url === '/json') response.setHeader('Content-Type', 'application/json')
  if (body !== undefined) response.setHeader('Content-Length', body.length).end(body)
  else if (url === '/upload') request.on('end', () => response.setHeader('Content-Length', 2).end('ok'))
  else response.writeHead(404).end()
}

const server = createServer(serve)
server.on('connection', () => {
  connections += 1
})
server.keepAliveTimeout = 0
server.listen(port, '127.0.0.1')

createServer((_request, response) => {
  response.end(`server accepts handled requests\n ${connections} ${connections} ${requests} \n`)
}).listen(statusPort, '127.0.0.1')
