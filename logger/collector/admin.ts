// The operator's side: health and metrics.

import { createServer, type Server } from 'node:http'
import type { Registry } from 'prom-client'

/** Not listening yet. A logger or an API server that is away is no reason to start anew. */
export function createAdminServer(metrics: Registry): Server {
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 30_000 }, (request, response) => {
    const sentence = (status: number, text: string): void => {
      response.writeHead(status, { 'content-type': 'text/plain' }).end(`${text}\n`)
    }
    switch (`${request.method} ${request.url}`) {
      case 'GET /healthz':
        sentence(200, 'OK')
        return
      case 'GET /metrics':
        metrics.metrics().then(
          text => response.writeHead(200, { 'content-type': metrics.contentType }).end(text),
          () => sentence(500, 'no metrics'),
        )
        return
      default:
        sentence(404, 'there is /healthz and /metrics')
    }
  })
  server.maxConnections = 100
  return server
}
