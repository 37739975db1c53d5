// The logger, as the controller uses it: the last lines of an app, and to forget an app (controller contract, section 5).

import type { AppId } from '../domain/app.ts'

const attempts = 3
/** Milliseconds. */
const timeout = 10_000
/** Octets of one answer. */
const maxAnswer = 16 * 1024 * 1024

export const logSources = ['app', 'controller', 'router', 'all'] as const

export interface WantedLines {
  readonly lines: number
  /** Who wrote them; null: as the logger has it, those of the app and of the controller. */
  readonly source: (typeof logSources)[number] | null
}

export interface Logs {
  /** Null when there are none. Throws when the logger cannot be asked. */
  tail(app: AppId, wanted: WantedLines): Promise<string | null>
  /**
   * The last lines, and then each as it comes, until the logger ends it. Null when there is no logger. Throws when it
   * cannot be asked; the iterable throws when it breaks or the signal aborts, and has to be iterated.
   */
  follow(app: AppId, wanted: WantedLines, signal: AbortSignal): Promise<AsyncIterable<Uint8Array> | null>
  /** Never throws. */
  drop(app: AppId): Promise<void>
}

/** `base`: `http://deis-logger`; null: there is no logger, and so there are no lines. */
export class HttpLogs implements Logs {
  readonly #base: URL | null

  constructor(base: URL | null) {
    this.#base = base
  }

  async tail(app: AppId, wanted: WantedLines): Promise<string | null> {
    if (this.#base === null) return null
    const url = urlOf(this.#base, app, wanted)
    for (let attempt = 1; ; attempt++) {
      try {
        const { statusCode, body } = await (await client()).request(url, {
          headersTimeout: timeout,
          bodyTimeout: timeout,
        })
        if (statusCode === 200) return await bounded(body)
        await body.dump()
        if (statusCode === 204 || statusCode === 404) return null
        throw new Error(`the logger answered ${statusCode}`)
      } catch (error) {
        if (attempt === attempts) throw error
      }
    }
  }

  async follow(app: AppId, wanted: WantedLines, signal: AbortSignal): Promise<AsyncIterable<Uint8Array> | null> {
    if (this.#base === null) return null
    const url = urlOf(this.#base, app, wanted)
    url.searchParams.set('follow', 'true')
    const { statusCode, body } = await (await client()).request(url, {
      ...{ signal, headersTimeout: timeout },
      // An app may say nothing for as long as it likes.
      bodyTimeout: 0,
    })
    if (statusCode === 200) return body
    await body.dump()
    if (statusCode === 204 || statusCode === 404) return null
    throw new Error(`the logger answered ${statusCode}`)
  }

  async drop(app: AppId): Promise<void> {
    if (this.#base === null) return
    const url = new URL(`/logs/${app}`, this.#base)
    try {
      const { body } = await (await client()).request(url, {
        method: 'DELETE',
        headersTimeout: timeout,
        bodyTimeout: timeout,
      })
      await body.dump()
    } catch {
      // The app goes anyway, and its lines with their age.
    }
  }
}

function urlOf(base: URL, app: AppId, { lines, source }: WantedLines): URL {
  const url = new URL(`/logs/${app}?log_lines=${lines}`, base)
  if (source !== null) url.searchParams.set('source', source)
  return url
}

async function bounded(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > maxAnswer) throw new Error(`the logger answered with more than ${maxAnswer} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Loaded when it is needed: it takes 15 MB. */
const client = (): Promise<typeof import('undici')> => import('undici')
