// Requests at a constant rate, whatever comes of them (open loop): a slow answer does not hold back the next request, so
// that nothing can hide. Most go over connections that are kept, each fifth over one of its own.

import { request as requestOnce } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { Pool } from 'undici'

/** One request that was answered. */
export interface Answered {
  /** performance.now() before it was sent. */
  readonly sent: number
  readonly milliseconds: number
  /** Who answered, if the backend said so (X-Pod). */
  readonly pod: string
}

export interface LoadReport {
  readonly sent: number
  readonly failed: number
  /** What went wrong and how often. */
  readonly failures: Readonly<Record<string, number>>
  /** Connections that the kept ones had to open in the course of it. */
  readonly connects: number
  readonly p50: number
  readonly p99: number
  readonly most: number
}

/** Milliseconds. What starves on a busy machine is late, and told by `most`; what is lost never comes. */
const answerTimeout = 30_000
const keptConnections = 16
/** Every so many requests one is sent over a connection of its own. */
const freshEvery = 5

export class SteadyLoad {
  readonly #pool: Pool
  readonly #port: number
  readonly #host: string
  readonly #rate: number
  readonly #open = new Set<Promise<void>>()
  readonly #failures = new Map<string, number>()
  readonly #answered: Answered[] = []
  readonly #started = performance.now()
  readonly #timer: NodeJS.Timeout
  #sent = 0
  #connects = 0

  /** Starts at once, at this port of 127.0.0.1. */
  constructor(port: number, host: string, requestsPerSecond: number) {
    this.#port = port
    this.#host = host
    this.#rate = requestsPerSecond
    this.#pool = new Pool(`http://127.0.0.1:${port}`, {
      connections: keptConnections,
      pipelining: 1,
      headersTimeout: answerTimeout,
      bodyTimeout: answerTimeout,
    })
    this.#pool.on('connect', () => this.#connects++)
    this.#timer = setInterval(() => this.#sendDue(), 1)
  }

  /** All answers so far, in the order in which they came. */
  get answered(): readonly Answered[] {
    return this.#answered
  }

  /** Resolves when `count` more requests were answered, or failed. */
  async more(count: number): Promise<void> {
    const done = () => this.#sent - this.#open.size
    const enough = done() + count
    while (done() < enough) await delay(5)
  }

  /** Ends the load, waits for all answers, and tells what came of it. */
  async stop(): Promise<LoadReport> {
    clearInterval(this.#timer)
    await Promise.all(this.#open)
    await this.#pool.destroy()
    const times = this.#answered.map(({ milliseconds }) => milliseconds).sort((a, b) => a - b)
    const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0
    return {
      sent: this.#sent,
      failed: [...this.#failures.values()].reduce((sum, count) => sum + count, 0),
      failures: Object.fromEntries(this.#failures),
      connects: this.#connects,
      p50: at(0.5),
      p99: at(0.99),
      most: times.at(-1) ?? 0,
    }
  }

  #sendDue(): void {
    const due = Math.floor(((performance.now() - this.#started) / 1000) * this.#rate)
    while (this.#sent < due) {
      const fresh = this.#sent++ % freshEvery === 0
      const request = this.#request(fresh).finally(() => this.#open.delete(request))
      this.#open.add(request)
    }
  }

  async #request(fresh: boolean): Promise<void> {
    const sent = performance.now()
    const kind = fresh ? 'new connection' : 'kept connection'
    try {
      const { status, pod } = await (fresh ? this.#askOnce() : this.#askKept())
      if (status === 200) this.#answered.push({ sent, milliseconds: performance.now() - sent, pod })
      else this.#fail(`${status} (${kind})`)
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      this.#fail(`${code ?? message} (${kind})`)
    }
  }

  async #askKept(): Promise<{ readonly status: number; readonly pod: string }> {
    const headers = { host: this.#host }
    const { statusCode, headers: answer, body } = await this.#pool.request({ method: 'GET', path: '/', headers })
    await body.dump()
    return { status: statusCode, pod: String(answer['x-pod'] ?? '') }
  }

  #askOnce(): Promise<{ readonly status: number; readonly pod: string }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; pod: string }>()
    const headers = { host: this.#host, connection: 'close' }
    const options = { host: '127.0.0.1', port: this.#port, headers, agent: false, timeout: answerTimeout }
    const outgoing = requestOnce(options, answer => {
      answer.on('error', reject)
      answer.on('end', () => resolve({ status: answer.statusCode!, pod: String(answer.headers['x-pod'] ?? '') }))
      answer.resume()
    })
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer in 30 s')))
    outgoing.on('error', reject)
    outgoing.end()
    return promise
  }

  #fail(why: string): void {
    this.#failures.set(why, (this.#failures.get(why) ?? 0) + 1)
  }
}

/** What comes of the traffic of `during`, of a second before and of two after. */
export async function underLoad(
  port: number,
  host: string,
  requestsPerSecond: number,
  during: () => Promise<void>,
): Promise<LoadReport> {
  const load = new SteadyLoad(port, host, requestsPerSecond)
  try {
    await load.more(requestsPerSecond)
    await during()
    await load.more(2 * requestsPerSecond)
  } catch (error) {
    await load.stop()
    throw error
  }
  return load.stop()
}

/** One line for people. */
export function describeLoad({ sent, failed, failures, connects, p50, p99, most }: LoadReport): string {
  const why = Object.entries(failures).map(([text, count]) => `${count} × ${text}`)
  const lost = failed === 0 ? 'none failed' : `${failed} failed: ${why.join(', ')}`
  const times = `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, longest ${most.toFixed(0)} ms`
  return `${sent} requests, ${lost}; ${times}; kept connections were opened ${connects} times`
}
