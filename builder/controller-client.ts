// The controller as the builder sees it: the hooks (controller contract, section 6), over HTTP, with the builder's key.

import { Agent } from 'undici'
import { z } from 'zod'

export interface ControllerClientOptions {
  readonly url: URL
  /** Secret. */
  readonly key: string
  /** Of a deploy, milliseconds: it answers when the app is up. */
  readonly deployTimeout: number
}

const connectTimeout = 5000
/** Of everything but deploys. */
const answerTimeout = 30_000
/** Octets of an answer. */
const mostAnswer = 16 * 1024 * 1024
/** Characters of an answer that are shown to the pusher. */
const mostShown = 4000

/** The controller said no: `message` is as the original builder's, for the pusher. */
export class ControllerRefusal extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.name = 'ControllerRefusal'
    this.status = status
  }
}

/** It did not answer, or not as the contract says. */
export class ControllerAwayError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ControllerAwayError'
  }
}

export interface NewBuild {
  readonly user: string
  readonly app: string
  /** Short. */
  readonly sha: string
  readonly image: string
  readonly procfile: Readonly<Record<string, string>>
  readonly fromDockerfile: boolean
}

/** `uuids`: of the apps; absent from controllers other than ours. */
const ownerShape = z.object({
  username: z.string().min(1),
  apps: z.array(z.string()),
  uuids: z.record(z.string(), z.string()).optional(),
})
const configShape = z.object({ values: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])) })
const releaseShape = z.object({ release: z.object({ version: z.number().int() }) })

export class ControllerClient {
  readonly #url: URL
  readonly #key: string
  readonly #deployTimeout: number
  readonly #agent: Agent

  constructor({ url, key, deployTimeout }: ControllerClientOptions) {
    this.#url = url
    this.#key = key
    this.#deployTimeout = deployTimeout
    this.#agent = new Agent({
      connect: { timeout: connectTimeout },
      headersTimeout: answerTimeout,
      bodyTimeout: answerTimeout,
      maxResponseSize: mostAnswer,
    })
  }

  /** Whose key it is, and what he may push to; null: nobody's. */
  async owner(fingerprint: string): Promise<z.infer<typeof ownerShape> | null> {
    try {
      return parse(ownerShape, await this.#call('GET', `/v2/hooks/key/${encodeURIComponent(fingerprint)}`))
    } catch (error) {
      if (error instanceof ControllerRefusal && error.status === 404) return null
      throw error
    }
  }

  /** Secret. */
  async config(user: string, app: string, signal: AbortSignal): Promise<Readonly<Record<string, string>>> {
    const body = { receive_user: user, receive_repo: app }
    const { values } = parse(configShape, await this.#call('POST', '/v2/hooks/config/', { body, signal }))
    return Object.fromEntries(
      Object.entries(values).flatMap(([name, value]) => (value === null ? [] : [[name, String(value)]])),
    )
  }

  /** Deploys it. Resolves with the release's version, when it is up. */
  async build(build: NewBuild, signal: AbortSignal): Promise<number> {
    const body = {
      sha: build.sha,
      receive_user: build.user,
      receive_repo: build.app,
      image: build.image,
      procfile: build.procfile,
      dockerfile: build.fromDockerfile ? 'true' : '',
    }
    const timeout = this.#deployTimeout
    const answer = await this.#call('POST', '/v2/hooks/build/', { body, signal, timeout })
    return parse(releaseShape, answer).release.version
  }

  /** False only if the controller itself says so. */
  async hasApp(app: string, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#call('GET', `/v2/hooks/keys/${encodeURIComponent(app)}`, { signal })
      return true
    } catch (error) {
      // Not any 404: who else listens there may say that of everything.
      if (error instanceof ControllerRefusal && error.status === 404 && /No App matches/.test(error.message))
        return false
      if (error instanceof ControllerRefusal) return true
      throw error
    }
  }

  async healthy(signal: AbortSignal): Promise<boolean> {
    try {
      await this.#call('GET', '/healthz', { signal })
      return true
    } catch {
      return false
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy()
  }

  async #call(
    method: 'GET' | 'POST',
    path: string,
    options: { readonly body?: unknown; readonly signal?: AbortSignal; readonly timeout?: number } = {},
  ): Promise<unknown> {
    const { body, signal, timeout = answerTimeout } = options
    let status: number
    let text: string
    try {
      const answer = await this.#agent.request({
        origin: this.#url.origin,
        path: `${this.#url.pathname.replace(/\/$/, '')}${path}`,
        method,
        headers: {
          'x-deis-builder-auth': this.#key,
          accept: 'application/json',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        headersTimeout: timeout,
        bodyTimeout: timeout,
        signal: signal ?? null,
      })
      status = answer.statusCode
      text = await answer.body.text()
    } catch (error) {
      throw new ControllerAwayError(`the controller did not answer: ${(error as Error).message}`, { cause: error })
    }
    if (status >= 400) throw new ControllerRefusal(status, refusalText(status, text))
    if (!text.startsWith('{')) return text
    try {
      return JSON.parse(text)
    } catch (error) {
      throw new ControllerAwayError('the controller answered with broken JSON', { cause: error })
    }
  }
}

/** As the original builder's library words it. */
function refusalText(status: number, body: string): string {
  if (status === 403) return 'You do not have permission to perform this action.'
  if (status === 401) return 'Not logged in.'
  return `Unknown Error (${status}): ${body.slice(0, mostShown)}`
}

function parse<T>(shape: z.ZodType<T>, value: unknown): T {
  const parsed = shape.safeParse(value)
  if (parsed.success) return parsed.data
  throw new ControllerAwayError('the controller answered with something else than the contract says', {
    cause: parsed.error,
  })
}
