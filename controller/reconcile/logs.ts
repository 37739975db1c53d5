// The logger, as the controller uses it: the last lines of an app, and to forget an app (controller contract, section 5).

import type { AppId } from '../domain/app.ts'

const attempts = 3
/** Milliseconds. */
const timeout = 10_000
/** Octets of one answer. */
const maxAnswer = 16 * 1024 * 1024

export interface Logs {
  /** Null when there are none. Throws when the logger cannot be asked. */
  tail(app: AppId, lines: number): Promise<string | null>
  /** Never throws. */
  drop(app: AppId): Promise<void>
}

/** `base`: `http://deis-logger`; null: there is no logger, and so there are no lines. */
export class HttpLogs implements Logs {
  readonly #base: URL | null

  constructor(base: URL | null) {
    this.#base = base
  }

  async tail(app: AppId, lines: number): Promise<string | null> {
    if (this.#base === null) return null
    const url = new URL(`/logs/${app}?log_lines=${lines}`, this.#base)
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
