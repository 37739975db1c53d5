// Has the logger send the log of each app where its config says (`DEIS_LOG_DRAIN`). What counts is the current release; the
// logger is told again after each of them, and of all apps at each round of the reconciler, which is also how it learns of what
// it missed. Nothing waits for it: a logger that is away fails no deploy.

import { setTimeout as delay } from 'node:timers/promises'
import { fullJitter } from '#kit/backoff.ts'
import { Turnstile } from '#kit/turnstile.ts'
import type { AppId } from '../domain/app.ts'
import { logDrainKey } from '../domain/log-drain.ts'
import type { Store } from '../store/store.ts'
import type { AppLog } from './app-log.ts'
import { UnderWay } from './under-way.ts'

/** Milliseconds, all of them. */
const timeout = 10_000
const retry = { base: 1_000, cap: 60_000 }
/** After so many the app's log says it; it is tried on. */
const quietFailures = 3
/** Apps that the logger is told of at a time. */
const width = 4
/** Characters of what the logger says that are passed on. */
const longestReason = 200

export interface LogDrainsOptions {
  /** `http://deis-logger`; null: there is no logger. */
  readonly logger: URL | null
  readonly store: Pick<Store, 'apps' | 'releases' | 'configs'>
  readonly appLog: AppLog
}

interface Fault {
  readonly reason: string
  /** Trying again does not help. */
  readonly isFinal: boolean
  /** Somebody has asked for the drain, and looks for it. */
  readonly isOfUser: boolean
}

interface Telling {
  isAgain: boolean
  wake: AbortController
  /** Of what the logger was last asked to do; null: it has answered. */
  answer: PromiseWithResolvers<Fault | null> | null
}

export class LogDrains {
  readonly #options: LogDrainsOptions
  readonly #underWay = new UnderWay()
  readonly #ended = new AbortController()
  readonly #places = new Turnstile(width)
  /** Why the drain of an app is not in force, as its log has it. */
  readonly #said = new Map<AppId, string>()
  /** Apps that the logger is being told of. */
  readonly #telling = new Map<AppId, Telling>()

  constructor(options: LogDrainsOptions) {
    this.#options = options
  }

  /** The drain of this app may be another now: the logger is told soon. */
  renew(app: AppId): void {
    if (this.#ended.signal.aborted) return
    const telling = this.#telling.get(app)
    if (telling === undefined) {
      void this.#underWay.track(this.#tell(app))
      return
    }
    telling.isAgain = true
    telling.answer ??= Promise.withResolvers()
    telling.wake.abort()
  }

  /**
   * Why the drain of the app is not in force, after `renew`. Null: it is, there is none, or it is not known within `patience`
   * milliseconds. Never rejects.
   */
  async faultOf(app: AppId, patience: number): Promise<string | null> {
    const answer = this.#telling.get(app)?.answer
    if (answer == null) return this.#said.get(app) ?? null
    const late = new AbortController()
    const nothing = delay(patience, null, { signal: late.signal }).catch(() => null)
    const fault = await Promise.race([answer.promise, nothing])
    late.abort()
    return fault?.isOfUser ? fault.reason : null
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    this.#ended.abort(new Error('the controller is ending'))
    await this.#underWay.idle()
  }

  /** Never rejects. */
  async #tell(app: AppId): Promise<void> {
    const { signal } = this.#ended
    let failures = 0
    const telling: Telling = { isAgain: true, wake: new AbortController(), answer: Promise.withResolvers() }
    this.#telling.set(app, telling)
    while (telling.isAgain && !signal.aborted) {
      telling.isAgain = false
      telling.wake = new AbortController()
      const fault = await this.#agree(app)
      if (fault === null || fault.isFinal || ++failures >= quietFailures) this.#say(app, fault)
      if (!telling.isAgain) {
        telling.answer?.resolve(fault)
        telling.answer = null
      }
      if (fault === null || fault.isFinal) continue
      await delay(fullJitter(failures, retry, Math.random), undefined, {
        signal: AbortSignal.any([signal, telling.wake.signal]),
      }).catch(() => {})
      telling.isAgain = true
    }
    this.#telling.delete(app)
    telling.answer?.resolve(null)
  }

  /** In the app's log, once for each reason. */
  #say(app: AppId, fault: Fault | null): void {
    const { appLog } = this.#options
    const said = this.#said.get(app)
    if (fault?.isOfUser) {
      this.#said.set(app, fault.reason)
      if (said !== fault.reason) appLog.line(app, `${logDrainKey} is not in force: ${fault.reason}`, 'ERROR')
    } else if (said !== undefined) {
      this.#said.delete(app)
    }
  }

  /** Null when the logger knows; else why not. */
  async #agree(app: AppId): Promise<Fault | null> {
    const { logger } = this.#options
    const { signal } = this.#ended
    try {
      await this.#places.enter(signal)
    } catch {
      return null
    }
    let drain: string | null = null
    try {
      drain = await this.#drainOf(app)
      const isOfUser = drain !== null
      if (logger === null) return isOfUser ? { reason: 'there is no logger', isFinal: true, isOfUser } : null
      const { statusCode, body } = await (await client()).request(new URL(`/drains/${app}`, logger), {
        ...(drain === null
          ? { method: 'DELETE' }
          : { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ url: drain }) }),
        ...{ headersTimeout: timeout, bodyTimeout: timeout },
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeout)]),
      })
      const said = (await body.text()).trim().replace(/\s+/g, ' ').slice(0, longestReason)
      if (statusCode < 300 || (drain === null && statusCode === 404)) return null
      // What it does not take it will not take the next time either.
      const isFinal = statusCode >= 400 && statusCode < 500 && statusCode !== 408 && statusCode !== 429
      return { reason: isFinal && said !== '' ? said : `the logger answered ${statusCode}`, isFinal, isOfUser }
    } catch (error) {
      if (signal.aborted) return null
      return {
        reason: `the logger cannot be reached (${(error as Error).message})`,
        isFinal: false,
        isOfUser: drain !== null,
      }
    } finally {
      this.#places.leave()
    }
  }

  /** Of the current release; null also when there is no such app. */
  async #drainOf(app: AppId): Promise<string | null> {
    const { apps, releases, configs } = this.#options.store
    const isReady = (await apps.find(app))?.state === 'ready'
    const release = isReady ? await releases.current(app) : null
    const config = release === null ? null : await configs.find(app, release.config)
    return config?.values[logDrainKey] ?? null
  }
}

/** Loaded when it is needed: it takes 15 MB. */
const client = (): Promise<typeof import('undici')> => import('undici')
