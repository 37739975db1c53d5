// Tells other systems of each release: an empty POST to every URL of the setting, with what is known in its query
// (controller contract, section 9). What they answer changes nothing.

import { createHmac } from 'node:crypto'
import type { Release } from '../domain/app.ts'
import type { AppLog } from './app-log.ts'
import { UnderWay } from './under-way.ts'

/** Milliseconds. */
const timeout = 10_000

export interface DeployHookOptions {
  readonly urls: readonly URL[]
  /** Signs the URL; null: it is not signed. */
  readonly secret: string | null
  readonly appLog: AppLog
}

export class DeployHooks {
  readonly #options: DeployHookOptions
  readonly #underWay = new UnderWay()
  readonly #ended = new AbortController()

  constructor(options: DeployHookOptions) {
    this.#options = options
  }

  /** Nobody waits for them here: see `close`. */
  send(release: Release, sha: string): void {
    for (const url of this.#options.urls) void this.#underWay.track(this.#post(url, release, sha))
  }

  /** Resolves when those under way have answered or failed; after so many milliseconds they are cut off. */
  async close(patience: number): Promise<void> {
    const limit = setTimeout(() => this.#ended.abort(new Error('the controller is ending')), patience)
    await this.#underWay.idle()
    clearTimeout(limit)
  }

  async #post(base: URL, release: Release, sha: string): Promise<void> {
    const { appLog, secret } = this.#options
    const shown = `${base.origin}${base.pathname}`
    try {
      const { href } = hookUrl(base, release, sha)
      const headers = secret === null ? {} : { authorization: createHmac('sha1', secret).update(href).digest('hex') }
      const { statusCode, body } = await (await client()).request(href, {
        ...{ method: 'POST', headers, headersTimeout: timeout, bodyTimeout: timeout },
        signal: AbortSignal.any([this.#ended.signal, AbortSignal.timeout(timeout)]),
      })
      await body.dump({ limit: 64 * 1024 })
      if (statusCode >= 400) appLog.line(release.app, `Deploy hook to ${shown} answered ${statusCode}`, 'ERROR')
      else appLog.line(release.app, `Deploy hook sent to ${shown}`)
    } catch (error) {
      appLog.line(release.app, `Deploy hook to ${shown} failed: ${(error as Error).message}`, 'ERROR')
    }
  }
}

/** Parameters in the order of their names. */
function hookUrl(base: URL, release: Release, sha: string): URL {
  const url = new URL(base)
  const { app, version, summary, owner } = release
  for (const [name, value] of Object.entries({
    app,
    release: `v${version}`,
    release_summary: summary,
    sha,
    user: owner,
  }))
    url.searchParams.set(name, value)
  return url
}

/** Loaded when it is needed: it takes 15 MB. */
const client = (): Promise<typeof import('undici')> => import('undici')
