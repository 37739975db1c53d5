// Images are named `127.0.0.1:5555/…` on every node (registry contract, section 1): this is what listens there, and passes
// each connection on to the registry's Service. It looks at no octet of them.

import { createServer as createHttpServer, type Server as HttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { listen } from '#kit/listening.ts'
import type { Logger } from '#kit/log.ts'
import type { ProxyConfig } from './config.ts'
import { Relay } from './relay.ts'

/** Milliseconds: at the end, a connection on which nothing moves for so long is taken to be kept for later. */
const drainPatience = 5_000

export class RegistryProxy {
  readonly #config: ProxyConfig
  readonly #log: Logger
  readonly #server: Server
  readonly #admin: HttpServer
  readonly #relays = new Set<Relay>()
  #isReachable = true
  readonly #counts = { connected: 0, failed: 0, refused: 0, received: 0, sent: 0 }

  private constructor(config: ProxyConfig, log: Logger) {
    this.#config = config
    this.#log = log
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true, keepAlive: true })
    this.#server.maxConnections = config.maxConnections
    this.#server.on('connection', client => this.#relay(client))
    this.#server.on('drop', () => this.#counts.refused++)
    this.#admin = createHttpServer({ headersTimeout: 10_000, requestTimeout: 30_000 }, ({ method, url }, response) => {
      const text = method !== 'GET' ? null : url === '/healthz' ? 'OK\n' : url === '/metrics' ? this.#metrics() : null
      response.writeHead(text === null ? 404 : 200, { 'content-type': 'text/plain; version=0.0.4' })
      response.end(text ?? 'there is /healthz and /metrics\n')
    })
    this.#admin.maxConnections = 100
  }

  /** Throws a StartupError 69 for a port that is taken. */
  static async start(config: ProxyConfig, log: Logger): Promise<RegistryProxy> {
    const proxy = new RegistryProxy(config, log)
    try {
      await listen(proxy.#server, config.address, config.port)
      await listen(proxy.#admin, config.address, config.adminPort)
      return proxy
    } catch (error) {
      await proxy.stop(0)
      throw error
    }
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get adminPort(): number {
    return (this.#admin.address() as AddressInfo).port
  }

  /** `patience`: milliseconds for connections that are open; the config's when absent. */
  async stop(patience: number = this.#config.drainTimeout): Promise<void> {
    const closed = new Promise(resolve => this.#server.close(resolve))
    for (const relay of this.#relays) relay.patience = Math.min(drainPatience, this.#config.idleTimeout)
    const insist = setTimeout(() => {
      for (const relay of this.#relays) relay.destroy()
    }, patience)
    await closed
    clearTimeout(insist)
    this.#admin.closeAllConnections()
    await new Promise(resolve => this.#admin.close(resolve))
  }

  #relay(client: Socket): void {
    const { target, connectTimeout, idleTimeout } = this.#config
    const counts = this.#counts
    const relay = new Relay(client, {
      ...{ target, connectTimeout, idleTimeout },
      onConnect: error => {
        if (error === null) counts.connected++
        else counts.failed++
        // Once each time that it goes, and not for each of a node's tries.
        if (error !== null && this.#isReachable) this.#log.warn({ ...target, error: error.message }, 'no registry')
        if (error === null && !this.#isReachable) this.#log.info(target, 'the registry is back')
        this.#isReachable = error === null
      },
      onClose: (received, sent) => {
        this.#relays.delete(relay)
        counts.received += received
        counts.sent += sent
      },
    })
    this.#relays.add(relay)
  }

  #metrics(): string {
    const { connected, failed, refused, received, sent } = this.#counts
    return `# HELP deis_registry_proxy_connections_total Connections by what became of them.
# TYPE deis_registry_proxy_connections_total counter
deis_registry_proxy_connections_total{result="connected"} ${connected}
deis_registry_proxy_connections_total{result="failed"} ${failed}
deis_registry_proxy_connections_total{result="refused"} ${refused}
# HELP deis_registry_proxy_bytes_total Bytes of connections that have ended.
# TYPE deis_registry_proxy_bytes_total counter
deis_registry_proxy_bytes_total{direction="received"} ${received}
deis_registry_proxy_bytes_total{direction="sent"} ${sent}
# HELP deis_registry_proxy_open_connections Connections that are open.
# TYPE deis_registry_proxy_open_connections gauge
deis_registry_proxy_open_connections ${this.#relays.size}
`
  }
}
