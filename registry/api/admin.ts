// The operator's port: metrics, health, and garbage collection on demand.

import { createServer, type Server, type ServerResponse } from 'node:http'
import type { Collected } from '../keep/collector.ts'
import type { Metrics } from './metrics.ts'

export interface AdminOptions {
  readonly metrics: Metrics
  /** Rejects when requests could not be answered. */
  readonly ready: () => Promise<void>
  readonly collect: (dryRun: boolean) => Promise<Collected>
}

/** Not listening yet. */
export function createAdminServer({ metrics, ready, collect }: AdminOptions): Server {
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 30_000 }, (request, response) => {
    const url = URL.parse(request.url ?? '', 'http://admin')
    const sentence = (status: number, text: string): void => answer(response, status, text)
    switch (`${request.method} ${url?.pathname}`) {
      case 'GET /metrics':
        metrics.registry.metrics().then(
          text => response.writeHead(200, { 'content-type': metrics.registry.contentType }).end(text),
          () => sentence(500, 'no metrics'),
        )
        return
      case 'GET /healthz':
        sentence(200, 'OK')
        return
      case 'GET /readiness':
        ready().then(
          () => sentence(200, 'OK'),
          (error: Error) => sentence(503, error.message),
        )
        return
      case 'POST /collect':
        collect(url?.searchParams.get('dry-run') === 'true').then(
          result => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(result)),
          (error: Error) => sentence(500, error.message),
        )
        return
      default:
        sentence(404, 'there is /metrics, /healthz, /readiness and POST /collect?dry-run=true')
    }
  })
  server.maxConnections = 100
  return server
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain' }).end(`${text}\n`)
}
