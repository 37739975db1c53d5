// What the Service before the routers does: new connections go to the router that is ready, open ones stay where they
// are. (Two routers on the same ports, by SO_REUSEPORT, would be no test of a roll-out: the router refuses to start on a
// port that another process has.)

import { get } from 'node:http'
import { connect as connectPlain, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { treeResidentSize } from '../support/process-stat.ts'
import { type RouterProcess, startRouter } from '../support/router-process.ts'
import type { Workbench } from '../support/workbench.ts'

/** So long a cluster may go on sending new connections to a router that is told to end; it takes them for a second. */
const propagation = 300

interface Thread {
  readonly state: string
  readonly restarts: number
}

interface Config {
  readonly threads: readonly Thread[]
  readonly watches: readonly { readonly connected: boolean }[]
}

export class Front {
  readonly #bench: Workbench
  readonly #kubeconfig: string
  readonly #workers: number
  #router: RouterProcess
  #draining = 0

  static async start(bench: Workbench, kubeconfig: string, workers: number): Promise<Front> {
    return new Front(bench, kubeconfig, workers, await launch(bench, kubeconfig, workers))
  }

  private constructor(bench: Workbench, kubeconfig: string, workers: number, router: RouterProcess) {
    this.#bench = bench
    this.#kubeconfig = kubeconfig
    this.#workers = workers
    this.#router = router
  }

  /** Some router closes connections that are idle, because it ends. */
  get draining(): boolean {
    return this.#draining > 0
  }

  /** Of the router that takes new connections. */
  get residentBytes(): number {
    return treeResidentSize(this.#router.running.pid)
  }

  connect(): Socket {
    return connectPlain({ host: '127.0.0.1', port: this.#router.httpPort, noDelay: true })
  }

  connectTls(servername: string, protocol: 'h2' | 'http/1.1'): TLSSocket {
    const { httpsPort: port } = this.#router
    // Certificates are signed by nobody; whose they are is checked by who asks.
    const trust = { servername, ALPNProtocols: [protocol], rejectUnauthorized: false }
    return connectTls({ host: '127.0.0.1', port, ...trust })
  }

  /** Another router, ready to take over. */
  another(): Promise<RouterProcess> {
    return launch(this.#bench, this.#kubeconfig, this.#workers)
  }

  /** As a rolling update: when another router is ready, this one is asked to end. Throws when it does not end well. */
  async replace(next: RouterProcess): Promise<void> {
    const old = this.#router
    this.#draining++
    try {
      const stopped = this.#bench.stop(old.running)
      await delay(propagation)
      this.#router = next
      await stopped
      const code = await old.running.ended
      if (code !== 0) throw new Error(`the router ended with ${code}: ${this.#bench.lastWords(old.running)}`)
    } finally {
      this.#draining--
    }
  }

  /** Ends one data thread in the middle of its work; resolves when another serves in its place, or the router is replaced. */
  async killThread(): Promise<void> {
    const { running } = this.#router
    const restarts = ({ threads }: Config) => threads.reduce((sum, thread) => sum + thread.restarts, 0)
    const before = restarts(await this.#config())
    process.kill(running.pid, 'SIGUSR2')
    const isBack = async () => {
      if (this.#router.running !== running) return true
      const config = await this.#config()
      return restarts(config) > before && config.threads.every(({ state }) => state === 'serving')
    }
    await this.#bench.untilReady(running, isBack, 15_000).catch(error => {
      // One that is asked to end may do so before it has another thread.
      if (!running.hasEnded()) throw error
    })
  }

  /** Resolves when the router follows everything again. */
  async caughtUp(): Promise<void> {
    const follows = async () => (await this.#config()).watches.every(({ connected }) => connected)
    await this.#bench.untilReady(this.#router.running, follows, 60_000)
  }

  #config(): Promise<Config> {
    const { promise, resolve, reject } = Promise.withResolvers<Config>()
    const request = get({ host: '127.0.0.1', port: this.#router.adminPort, path: '/config', agent: false })
    request.on('error', reject)
    request.on('response', async response => {
      try {
        resolve(JSON.parse(Buffer.concat(await response.toArray()).toString()) as Config)
      } catch (error) {
        reject(error)
      }
    })
    return promise
  }
}

function launch(bench: Workbench, kubeconfig: string, workers: number): Promise<RouterProcess> {
  const mortal = fileURLToPath(import.meta.resolve('./mortal.ts'))
  const env = { NODE_OPTIONS: `--import ${mortal}` }
  return startRouter(bench, { routes: { kind: 'kubeconfig', file: kubeconfig }, workers, env })
}
