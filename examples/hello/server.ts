// A tiny app to route to. It listens on PORT, as every app of the platform does, and says who answered.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const name = process.env.NAME ?? 'hello'

const server = createServer((request, response) => {
  request.resume()
  response.setHeader('Content-Type', 'text/plain; charset=utf-8')
  response.end(
    [
      `Hello from ${name}.`,
      '',
      `${request.method} ${request.url}`,
      `Host: ${request.headers.host}`,
      `You are ${request.headers['x-forwarded-for']}, and you came by ${request.headers['x-forwarded-proto']}.`,
      '',
    ].join('\n'),
  )
})
server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => {
  process.stdout.write(`listening on ${(server.address() as AddressInfo).port}\n`)
})
process.on('SIGTERM', () => {
  server.close(() => process.exit(0))
  server.closeIdleConnections()
})
// Whoever started us with a channel to talk is gone: nobody will ask us any more.
process.on('disconnect', () => process.exit(0))
