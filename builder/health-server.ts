// Probes and metrics (builder contract, section 12): 200 or 503 without a body, within ten seconds.

import { createServer, type Server } from 'node:http'
import { listen } from '#kit/listening.ts'
import type { Metrics } from './metrics.ts'

/** Milliseconds. */
const longest = 10_000

export type Probe = (signal: AbortSignal) => Promise<boolean>

export class HealthServer {
  readonly #server: Server

  constructor(probes: Readonly<Record<string, Probe>>, metrics: Metrics) {
    this.#server = createServer((request, response) => {
      const path = (request.url ?? '').split('?')[0]!.replace(/(.)\/$/, '$1')
      if (path === '/metrics') {
        metrics.registry.metrics().then(
          text => response.writeHead(200, { 'content-type': metrics.registry.contentType }).end(text),
          () => response.writeHead(500).end(),
        )
        return
      }
      const probe = Object.hasOwn(probes, path) ? probes[path] : undefined
      if (probe === undefined) response.writeHead(404).end()
      else void ask(probe).then(good => response.writeHead(good ? 200 : 503).end())
    })
  }

  /** Returns the port. */
  async listen(address: string, port: number): Promise<number> {
    return listen(this.#server, address, port)
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }
}

async function ask(probe: Probe): Promise<boolean> {
  const limit = AbortSignal.timeout(longest)
  const { promise, resolve } = Promise.withResolvers<boolean>()
  limit.addEventListener('abort', () => resolve(false), { once: true })
  return Promise.race([probe(limit).catch(() => false), promise])
}
