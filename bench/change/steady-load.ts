// Requests at a constant rate, whatever the answers do (open loop): a slow answer does not hold back the next request,
// so nothing that goes wrong can hide.

import { Pool } from 'undici'
import { median, percentile } from '../support/statistics.ts'

export interface LoadTotals {
  readonly sent: number
  readonly failed: number
  /** What went wrong and how often. */
  readonly failures: Readonly<Record<string, number>>
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

export interface SteadyLoadOptions {
  readonly port: number
  readonly connections: number
  readonly requestsPerSecond: number
}

const answerTimeout = 5_000

export class SteadyLoad {
  readonly #pool: Pool
  readonly #rate: number
  readonly #hosts: string[] = []
  readonly #open = new Map<string, Set<Promise<void>>>()
  readonly #failures = new Map<string, number>()
  readonly #latencies: number[] = []
  #started = 0
  #sent = 0
  #timer: NodeJS.Timeout | undefined

  constructor({ port, connections, requestsPerSecond }: SteadyLoadOptions) {
    this.#rate = requestsPerSecond
    this.#pool = new Pool(`http://127.0.0.1:${port}`, {
      connections,
      pipelining: 1,
      headersTimeout: answerTimeout,
      bodyTimeout: answerTimeout,
    })
  }

  /** From now on requests go to this host too, and every one of them must succeed. */
  include(host: string): void {
    this.#hosts.push(host)
  }

  /** No more requests to this host; resolves when those under way are answered. */
  async exclude(host: string): Promise<void> {
    const index = this.#hosts.indexOf(host)
    if (index >= 0) this.#hosts.splice(index, 1)
    await Promise.all(this.#open.get(host) ?? [])
    this.#open.delete(host)
  }

  start(): void {
    this.#started = performance.now()
    this.#timer = setInterval(() => this.#sendDue(), 1)
  }

  /** Ends the load, waits for all answers, and tells what came of it. */
  async stop(): Promise<LoadTotals> {
    clearInterval(this.#timer)
    await Promise.all([...this.#open.values()].flatMap(requests => [...requests]))
    await this.#pool.destroy()
    return {
      sent: this.#sent,
      failed: [...this.#failures.values()].reduce((sum, count) => sum + count, 0),
      failures: Object.fromEntries(this.#failures),
      p50Ms: median(this.#latencies) ?? 0,
      p99Ms: percentile(this.#latencies, 0.99) ?? 0,
      maxMs: this.#latencies.reduce((most, value) => Math.max(most, value), 0),
    }
  }

  #sendDue(): void {
    const due = Math.floor(((performance.now() - this.#started) / 1_000) * this.#rate)
    for (; this.#sent < due; this.#sent++) {
      const host = this.#hosts[Math.floor(Math.random() * this.#hosts.length)]
      if (host === undefined) continue
      const open = this.#open.get(host) ?? new Set()
      this.#open.set(host, open)
      const request = this.#request(host).finally(() => open.delete(request))
      open.add(request)
    }
  }

  async #request(host: string): Promise<void> {
    const started = performance.now()
    try {
      const { statusCode, body } = await this.#pool.request({ method: 'GET', path: '/', headers: { host } })
      const text = await body.text()
      this.#latencies.push(performance.now() - started)
      if (statusCode !== 200) this.#fail(`status ${statusCode}`)
      else if (text !== `A ${host}` && text !== `B ${host}`) this.#fail('wrong body')
    } catch (error) {
      this.#fail((error as NodeJS.ErrnoException).code ?? String(error))
    }
  }

  #fail(why: string): void {
    this.#failures.set(why, (this.#failures.get(why) ?? 0) + 1)
  }
}
