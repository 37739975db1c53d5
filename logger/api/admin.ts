// The operator's port: metrics and health.

import { createServer, type Server, type ServerResponse } from 'node:http'
import type { Registry } from 'prom-client'

/** Not listening yet. */
export function createAdminServer(registry: Registry): Server {
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 30_000 }, (request, response) => {
    const path = (request.url ?? '').split('?', 1)[0]
    switch (`${request.method} ${path}`) {
      case 'GET /metrics':
        registry.metrics().then(
          text => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
          () => answer(response, 500, 'no metrics'),
        )
        return
      case 'GET /healthz':
        answer(response, 200, 'OK')
        return
      default:
        answer(response, 404, 'there is /metrics and /healthz')
    }
  })
  server.maxConnections = 100
  return server
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain' }).end(`${text}\n`)
}
