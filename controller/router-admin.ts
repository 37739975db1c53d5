// The router's admin port, as the controller asks it: why a URL is answered as it is, and what goes on. What comes back is
// bounded in size and time; whatever goes wrong is told as `unavailable`, in words that name no address.

import type { RouterStatus } from '#kit/router-status.ts'
import { Turnstile } from '#kit/turnstile.ts'
import { Refusal } from './domain/refusal.ts'

/** Milliseconds. */
const timeout = 5000
/**
 * Each answer takes the router's control thread some milliseconds, which changes of routes wait for: so many are asked for at
 * a time, with a rest of so many milliseconds behind each, and so many may wait for their turn.
 */
const mostAtOnce = 2
const rest = 30
const mostWaiting = 50
/** Octets of one answer: a status with 500 routes has some 400,000. */
const maxAnswer = 4 * 1024 * 1024

export class RouterAdmin {
  readonly #base: URL | null
  readonly #turnstile = new Turnstile(mostAtOnce)
  #asking = 0

  /** `base` null: there is none to be asked. */
  constructor(base: URL | null) {
    this.#base = base
  }

  get isSet(): boolean {
    return this.#base !== null
  }

  /** What `/explain` says, unchecked. `apps` null: for somebody who may know everything. Throws a Refusal. */
  async explain(url: string, apps: readonly string[] | null, gone: AbortSignal): Promise<unknown> {
    const query = new URLSearchParams({ url, ...(apps !== null && { app: apps.join(',') }) })
    const { status, text } = await this.#ask(`/explain?${query}`, gone)
    if (status === 400) throw new Refusal('illogical', 'url must be an http or https URL')
    return this.#json(status, text)
  }

  /** `apps`: the namespaces that it is about, null: all. Throws a Refusal. */
  async status(query: URLSearchParams, apps: readonly string[] | null, gone: AbortSignal): Promise<RouterStatus> {
    const asked = new URLSearchParams(query)
    asked.delete('app')
    if (apps !== null) asked.set('app', apps.join(','))
    const { status, text } = await this.#ask(`/status?${asked}`, gone)
    const answer = this.#json(status, text) as RouterStatus | null
    // One that does not know of apps would tell everybody about everybody.
    const told = answer?.apps ?? null
    const isRight = apps === null ? told === null : told?.every(app => apps.includes(app))
    if (answer?.routes === undefined || isRight !== true) throw odd()
    return answer
  }

  /** Whether it answers, and serves. */
  async isUp(): Promise<boolean> {
    try {
      return (
        this.#base !== null && (await get(new URL('/healthz', this.#base), AbortSignal.timeout(timeout))).status === 200
      )
    } catch {
      return false
    }
  }

  #json(status: number, text: string): unknown {
    if (status !== 200) throw odd()
    try {
      return JSON.parse(text)
    } catch {
      throw odd()
    }
  }

  async #ask(target: string, gone: AbortSignal): Promise<Answer> {
    if (this.#base === null)
      throw new Refusal(
        'unavailable',
        'The router cannot be asked: this controller was not told where its admin port is.',
      )
    if (this.#asking >= mostAtOnce + mostWaiting)
      throw new Refusal('too-many', 'Too many ask the router at once. Try again.', { retryAfter: 1 })
    const signal = AbortSignal.any([gone, AbortSignal.timeout(timeout)])
    this.#asking++
    try {
      await this.#turnstile.enter(signal)
      try {
        return await get(new URL(target, this.#base), signal)
      } finally {
        setTimeout(() => this.#turnstile.leave(), rest).unref()
      }
    } catch (cause) {
      if (cause instanceof Refusal) throw cause
      throw new Refusal('unavailable', 'The router does not answer.', { cause })
    } finally {
      this.#asking--
    }
  }
}

interface Answer {
  readonly status: number
  readonly text: string
}

async function get(url: URL, signal: AbortSignal): Promise<Answer> {
  // Loaded when it is needed: it takes 15 MB.
  const { request } = await import('undici')
  const { statusCode, body } = await request(url, {
    ...{ signal, headersTimeout: timeout, bodyTimeout: timeout },
    headers: { accept: 'application/json' },
  })
  return { status: statusCode, text: await bounded(body) }
}

function odd(): Refusal {
  return new Refusal('unavailable', 'The router answered something else than was asked for.')
}

async function bounded(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > maxAnswer) throw odd()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
