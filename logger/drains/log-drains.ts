// All log drains, by app. They are kept in a file, written aside and renamed, so that they are there again after a restart.
// What they are is the controller's to say: of a file that is none of ours any more nothing is taken, and it tells them anew.

import { readFileSync, renameSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { isIP } from 'node:net'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { systemClock } from '#kit/clock.ts'
import { type DrainUrl, parseDrainUrl } from '#kit/drain-url.ts'
import { exitCode, StartupError } from '#kit/exit.ts'
import type { Logger } from '#kit/log.ts'
import { isAppId, type LogLine } from '../line.ts'
import type { DrainState } from '../metrics.ts'
import { encodeLine } from '../syslog/encode.ts'
import type { DrainRoad } from './drain-connection.ts'
import { SharedRoom } from './line-queue.ts'
import { LogDrain } from './log-drain.ts'

export interface LogDrainsOptions {
  readonly file: string
  readonly road: DrainRoad
  readonly most: number
  readonly log: Logger
  readonly count: (outcome: 'sent' | 'dropped', lines: number) => void
  /** Says something in the app's own log. */
  readonly notice: (app: string, sentence: string) => void
}

/** Octets that wait for all drains together. */
const sharedRoom = 64 * 1024 * 1024
/** Between two lines in an app's log about the same drain, milliseconds. */
const noticeInterval = 60_000

interface Kept {
  readonly drain: LogDrain
  /** Monotonic milliseconds. */
  noticedAt: number
}

export class LogDrains {
  readonly #options: LogDrainsOptions
  readonly #room = new SharedRoom(sharedRoom)
  readonly #drains = new Map<string, Kept>()
  /** As receivers see it: the sender's name. */
  readonly #hostname = hostname()
  readonly #timer: NodeJS.Timeout
  /** Changes one after the other. */
  #changing: Promise<unknown> = Promise.resolve()

  private constructor(options: LogDrainsOptions, urls: ReadonlyMap<string, DrainUrl>) {
    this.#options = options
    for (const [app, url] of urls) this.#drains.set(app, this.#begin(url))
    this.#timer = setInterval(() => this.#tell(), 1000).unref()
  }

  /**
   * A file that is broken is set aside, in the place of the one before it, and there are no drains. Throws StartupError 69
   * when the system does not let it be read or set aside: without it drains would be lost at the next change.
   */
  static open(options: LogDrainsOptions): LogDrains {
    const { file, log } = options
    const urls = new Map<string, DrainUrl>()
    for (const [app, text] of Object.entries(readDrains(file, log))) {
      const url = parseDrainUrl(text)
      if (isAppId(app) && typeof url !== 'string') urls.set(app, url)
      else log.warn({ app }, 'a log drain in the file is none')
    }
    return new LogDrains(options, urls)
  }

  /** How many are in each state. */
  states(): Record<DrainState, number> {
    const states = { idle: 0, connecting: 0, connected: 0, waiting: 0 }
    for (const { drain } of this.#drains.values()) states[drain.state]++
    return states
  }

  /** Null: the app has none. */
  statusOf(app: string): LogDrain['status'] | null {
    return this.#drains.get(app)?.drain.status ?? null
  }

  /** A sentence when the URL can never lead anywhere; names are looked up only when there is something to send. */
  faultOf({ host }: DrainUrl): string | null {
    if (isIP(host) === 0 || this.#options.road.networks.allows(host)) return null
    return `log drains may not send to ${host}`
  }

  send(line: LogLine): void {
    const kept = this.#drains.get(line.app)
    if (kept !== undefined) kept.drain.send(encodeLine(line, this.#hostname))
  }

  /** False: there are too many. Rejects when it cannot be kept; then all is as before. */
  set(app: string, url: DrainUrl): Promise<boolean> {
    return this.#change(async () => {
      const before = this.#drains.get(app)
      if (before?.drain.url.href === url.href) return true
      if (before === undefined && this.#drains.size >= this.#options.most) return false
      await this.#save(new Map([...this.#urls(), [app, url.href]]))
      this.#drains.set(app, this.#begin(url))
      void before?.drain.close(0)
      return true
    })
  }

  delete(app: string): Promise<void> {
    return this.#change(async () => {
      const before = this.#drains.get(app)
      if (before === undefined) return
      const urls = this.#urls()
      urls.delete(app)
      await this.#save(urls)
      this.#drains.delete(app)
      void before.drain.close(0)
    })
  }

  /** `patience`: milliseconds for what waits where a receiver takes it. */
  async close(patience: number): Promise<void> {
    clearInterval(this.#timer)
    await this.#changing
    await Promise.all([...this.#drains.values()].map(({ drain }) => drain.close(patience)))
  }

  #begin(url: DrainUrl): Kept {
    const { road, count } = this.#options
    const drain = new LogDrain({ url, road, count, room: this.#room, clock: systemClock })
    return { drain, noticedAt: -noticeInterval }
  }

  #urls(): Map<string, string> {
    return new Map([...this.#drains].map(([app, { drain }]) => [app, drain.url.href]))
  }

  #change<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#changing.then(work)
    this.#changing = done.catch(() => {})
    return done
  }

  async #save(urls: ReadonlyMap<string, string>): Promise<void> {
    const { file } = this.#options
    const aside = await open(`${file}.new`, 'w', 0o600)
    try {
      await aside.writeFile(`${JSON.stringify(Object.fromEntries(urls), null, 2)}\n`)
      await aside.sync()
    } finally {
      await aside.close()
    }
    await rename(`${file}.new`, file)
    const directory = await open(dirname(file), 'r')
    await directory.sync().finally(() => directory.close())
  }

  #tell(): void {
    const now = performance.now()
    for (const [app, kept] of this.#drains) {
      if (now - kept.noticedAt < noticeInterval) continue
      const { lines, error } = kept.drain.takeUntold()
      if (lines === 0) continue
      kept.noticedAt = now
      const why = error === null ? 'its receiver is slow' : error
      this.#options.notice(app, `${lines} lines were not sent to the log drain ${kept.drain.url.href}: ${why}`)
      // The log drain gets this line as well. That it had no room for it is nothing to tell: there would be no end.
      kept.drain.takeUntold()
    }
  }
}

function readDrains(file: string, log: Logger): Record<string, string> {
  try {
    const drains = parseDrains(readFileSync(file, 'utf8'))
    if (drains !== null) return drains
    const aside = `${file}.corrupt`
    renameSync(file, aside)
    log.error(
      { file, aside },
      'the file of log drains is broken and was set aside; until they are told anew there are none',
    )
    return {}
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw new StartupError(exitCode.unavailable, `${file} cannot be read: ${(error as Error).message}`)
  }
}

/** Null: it is no object of URLs. */
function parseDrains(text: string): Record<string, string> | null {
  try {
    const value: unknown = JSON.parse(text)
    const isMap = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isMap && Object.values(value).every(url => typeof url === 'string')
      ? (value as Record<string, string>)
      : null
  } catch {
    return null
  }
}
