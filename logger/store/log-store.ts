// All logs on disk, below one folder:
//
//   lock                                  who uses the folder has it locked
//   drains.json                           log drains (drains/drain-file.ts)
//   apps/APP/SOURCE.NUMBER.log            segments of an app's source, the highest number is appended to
//
// Lines wait in memory for the next flush, a fraction of a second; what was flushed survives kill -9, and is made durable once
// a second, for the power cut. An app has a bound, and all of them together: there the largest loses its oldest segment.

import { readdirSync, statSync } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { claimFolder } from '#kit/claim-folder.ts'
import { exitCode, StartupError } from '#kit/exit.ts'
import type { Logger } from '#kit/log.ts'
import { makeDirectory } from '#kit/make-directory.ts'
import { isAppId, type LogLine, type LogSource, logSources } from '../line.ts'
import { AppLog, boundsOf } from './app-log.ts'
import { Files, type OpenFile, openPrivate } from './files.ts'
import { appOfDirectory, recordOf, segmentOf } from './record.ts'
import type { Segment, SourceLog } from './source-log.ts'
import { mergeByTime, type TailBounds, tailOf } from './tail.ts'

export interface LogStoreOptions {
  readonly directory: string
  /** Octets of an app, and of all. */
  readonly appSize: number
  readonly totalSize: number
  /** Apps that lines are kept of. */
  readonly maxApps: number
  readonly log: Logger
  /** Hears of lines that the disk did not take. */
  readonly onDropped: (lines: number) => void
  readonly open?: OpenFile
  /** Milliseconds between flushes, and after which what was written is made durable. */
  readonly flushInterval?: number
  readonly syncInterval?: number
}

/** Why a line is not kept: too many apps; the disk is slow or full; its app is being removed. */
export type Refusal = 'apps' | 'disk' | 'removed'

/** Milliseconds between flushes: the most that kill -9 costs, and a little for the writing. */
const defaultFlushInterval = 200
/** Milliseconds after which what was written is made durable. */
const defaultSyncInterval = 1000
/**
 * How long that may take, milliseconds: it holds up the writing of others, and with thousands of busy apps no disk does it in a
 * second. At the end the kernel has everything anyway.
 */
const syncBudget = { each: 500, last: 2000 }
/** Octets that may wait for the disk: of one source of an app, and of all; senders that can wait do from half of it on. */
const maxWaiting = { source: 4 * 1024 * 1024, all: 32 * 1024 * 1024 }
/** Senders without an app whose lines are kept. */
const maxSenders = 1000
/** After which an app makes room for a new one when there are too many, milliseconds without a line. */
const quiet = 3_600_000
const maxOpenFiles = 256
/** Sources that are flushed at once: as many as threads that do it. */
const flushesAtOnce = 4
/** Between two lines of our own log about a disk that takes nothing, milliseconds. */
const complaintInterval = 60_000

export class LogStore {
  readonly #options: LogStoreOptions
  readonly #root: string
  readonly #files: Files
  readonly #claim: Disposable
  readonly #apps = new Map<string, AppLog>()
  #senders = 0
  readonly #dirty = new Map<SourceLog, AppLog>()
  /** Files and directories that were written to, since they were last made durable. */
  readonly #touched = new Map<string, boolean>()
  #size = 0
  #waiting = 0
  #flushed = 0
  #flushing: Promise<void> | null = null
  #syncing: Promise<void> | null = null
  readonly #timers: NodeJS.Timeout[] = []
  /** When no app was quiet for long enough, milliseconds since 1970. */
  #nobodyAt = Number.NEGATIVE_INFINITY
  #complainedAt = -complaintInterval
  readonly #roomListeners = new Set<() => void>()

  private constructor(options: LogStoreOptions, claim: Disposable) {
    this.#options = options
    this.#claim = claim
    this.#root = join(options.directory, 'apps')
    this.#files = new Files(maxOpenFiles, options.open ?? openPrivate)
  }

  /** Throws a StartupError when the folder cannot be used. */
  static open(options: LogStoreOptions): LogStore {
    const { directory } = options
    try {
      makeDirectory(join(directory, 'apps'), 0o700)
    } catch (error) {
      throw new StartupError(exitCode.unavailable, `${directory} cannot be used: ${(error as Error).message}`)
    }
    const claim = claimFolder(join(directory, 'lock'), directory)
    const store = new LogStore(options, claim)
    try {
      store.#find()
    } catch (error) {
      claim[Symbol.dispose]()
      throw new StartupError(exitCode.unavailable, `${directory} cannot be read: ${(error as Error).message}`)
    }
    const { flushInterval = defaultFlushInterval, syncInterval = defaultSyncInterval } = options
    store.#timers.push(setInterval(() => void store.flush(), flushInterval).unref())
    store.#timers.push(setInterval(() => void store.#sync(), syncInterval).unref())
    return store
  }

  get apps(): number {
    return this.#apps.size
  }

  /** Octets on disk. */
  get size(): number {
    return this.#size
  }

  /** Octets that the disk has taken, since the start. */
  get flushed(): number {
    return this.#flushed
  }

  /** Octets that wait for the disk. */
  get waiting(): number {
    return this.#waiting
  }

  /** Whether whoever can wait should: the disk is slower than what comes. */
  get busy(): boolean {
    return this.#waiting > maxWaiting.all / 2
  }

  /** Calls back once when it is not busy any more. */
  whenRoom(listener: () => void): void {
    this.#roomListeners.add(listener)
  }

  /** Keeps the line; null: it is kept. `now`: milliseconds since 1970. */
  append(line: LogLine, now: number): Refusal | null {
    const app = this.#apps.get(line.app) ?? this.#admit(line.app, now)
    if (app === null) return 'apps'
    if (app.removed) return 'removed'
    const source = app.of(line.source)
    const record = recordOf(line)
    const octets = Buffer.byteLength(record)
    if (this.#waiting + octets > maxWaiting.all || source.waitingOctets + octets > maxWaiting.source) return 'disk'
    source.append(record, octets)
    app.lastWritten = now
    this.#waiting += octets
    this.#dirty.set(source, app)
    return null
  }

  /** The last lines of these sources, oldest first: all that came before the call. Rejects when they cannot be read. */
  async tail(name: string, sources: readonly LogSource[], bounds: TailBounds): Promise<LogLine[]> {
    const app = this.#apps.get(name)
    if (app === undefined || app.removed) return []
    const logs = sources.map(source => app.find(source)).filter(log => log !== null)
    // All of one moment, and only then whatever takes time.
    const snapshots = logs.map(log => ({ source: log.source, snapshot: log.snapshot() }))
    const tails: LogLine[][] = []
    for (const { source, snapshot } of snapshots) tails.push(await tailOf(snapshot, name, source, bounds))
    return mergeByTime(tails, bounds)
  }

  has(name: string): boolean {
    return this.#apps.get(name)?.removed === false
  }

  /** Removes everything of the app; lines that come meanwhile are not kept. */
  async remove(name: string): Promise<void> {
    const app = this.#apps.get(name)
    if (app === undefined) return
    app.removed = true
    // One at a time: what another one finds in the end could be of the next app of this name.
    app.removal ??= this.#remove(app).finally(() => {
      app.removal = null
    })
    await app.removal
  }

  /** Writes everything that waits. Never rejects; one at a time. */
  flush(): Promise<void> {
    this.#flushing ??= this.#flushAll().finally(() => {
      this.#flushing = null
    })
    return this.#flushing
  }

  /** Everything that came is on disk, and as a rule durable. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer)
    await this.#flushing
    await this.flush()
    await this.#syncing
    await this.#sync(syncBudget.last)
    await this.#files.close()
    this.#claim[Symbol.dispose]()
  }

  async #remove(app: AppLog): Promise<void> {
    for (const source of app.sources) {
      this.#waiting -= source.waitingOctets
      this.#dirty.delete(source)
    }
    this.#forgetFiles(app)
    // What is being written just now would come back.
    await this.#flushing
    this.#forgetFiles(app)
    await rm(app.directory, { recursive: true, force: true })
    this.#apps.delete(app.app)
    this.#size -= app.size
    if (!isAppId(app.app)) this.#senders--
  }

  /** Nobody may open them again: the next app of this name has files of the same names. */
  #forgetFiles(app: AppLog): void {
    for (const source of app.sources) source.forgetFiles()
    for (const path of this.#touched.keys())
      if (path === app.directory || path.startsWith(`${app.directory}/`)) this.#touched.delete(path)
  }

  #find(): void {
    for (const entry of readdirSync(this.#root)) {
      const name = appOfDirectory(entry)
      if (name === null) {
        this.#options.log.warn({ entry }, 'something in the folder of logs is none of ours')
        continue
      }
      const found = new Map<LogSource, Segment[]>(logSources.map(source => [source, []]))
      const app = new AppLog(name, this.#root, this.#files, 0)
      for (const file of readdirSync(app.directory)) {
        const segment = segmentOf(file)
        if (segment === null) continue
        const path = join(app.directory, file)
        const { size, mtimeMs } = statSync(path)
        app.lastWritten = Math.max(app.lastWritten, mtimeMs)
        found.get(segment.source)!.push({ number: segment.number, path, size })
        this.#size += size
      }
      for (const [source, segments] of found)
        if (segments.length > 0)
          app.of(
            source,
            segments.sort((a, b) => a.number - b.number),
          )
      this.#apps.set(name, app)
      if (!isAppId(name)) this.#senders++
    }
  }

  /** Makes room for a new app, or for a sender without one; null: there is none. */
  #admit(name: string, now: number): AppLog | null {
    const isSender = !isAppId(name)
    const [count, most] = isSender
      ? [this.#senders, maxSenders]
      : [this.#apps.size - this.#senders, this.#options.maxApps]
    if (count >= most) {
      const longest = this.#quietest(isSender, now)
      if (longest === null) return null
      void this.remove(longest.app).catch(error => this.#complain(error, 'a quiet app could not be removed'))
      // Its place is free when it has gone.
      return null
    }
    const app = new AppLog(name, this.#root, this.#files, now)
    this.#apps.set(name, app)
    if (isSender) this.#senders++
    return app
  }

  #quietest(isSender: boolean, now: number): AppLog | null {
    // Looking at all of them is not for each line of a flood.
    if (Math.abs(now - this.#nobodyAt) < 1000) return null
    let found: AppLog | null = null
    for (const app of this.#apps.values()) {
      if (isAppId(app.app) === isSender || app.removed) continue
      if (found === null || app.lastWritten < found.lastWritten) found = app
    }
    if (found !== null && now - found.lastWritten >= quiet) return found
    this.#nobodyAt = now
    return null
  }

  async #flushAll(): Promise<void> {
    const dirty = [...this.#dirty]
    this.#dirty.clear()
    const fair = this.#options.totalSize / Math.max(1, this.#apps.size)
    const touched = (path: string, directory: boolean): void => void this.#touched.set(path, directory)
    const next = dirty.values()
    const worker = async (): Promise<void> => {
      for (const [source, app] of next) {
        if (app.removed) continue
        const { waitingOctets, size } = source
        const bounds = boundsOf(source.source, this.#options.appSize, fair)
        const flushed = await source.flush(bounds, touched)
        this.#waiting -= waitingOctets
        this.#flushed += flushed.octets
        this.#size += source.size - size
        if (flushed.dropped > 0) {
          this.#options.onDropped(flushed.dropped)
          this.#complain(flushed.error, 'lines could not be written')
        }
      }
    }
    await Promise.all(Array.from({ length: flushesAtOnce }, worker))
    await this.#makeRoom()
    if (this.busy) return
    const listeners = [...this.#roomListeners]
    this.#roomListeners.clear()
    for (const listener of listeners) listener()
  }

  async #makeRoom(): Promise<void> {
    while (this.#size > this.#options.totalSize) {
      let largest: AppLog | null = null
      let most = 0
      for (const app of this.#apps.values()) {
        const { size } = app
        if (app.removed || size <= most) continue
        largest = app
        most = size
      }
      const source = largest?.largest() ?? null
      if (source === null) return
      const { size } = source
      await source.removeOldest()
      this.#size += source.size - size
    }
  }

  #sync(longest = syncBudget.each): Promise<void> {
    this.#syncing ??= this.#syncAll(longest).finally(() => {
      this.#syncing = null
    })
    return this.#syncing
  }

  /** The rest of what takes too long is first in the next round. */
  async #syncAll(longest: number): Promise<void> {
    const deadline = performance.now() + longest
    let directories = false
    for (const [path, isDirectory] of this.#touched) {
      if (performance.now() > deadline) break
      this.#touched.delete(path)
      directories ||= isDirectory
      await this.#syncOne(path, isDirectory)
    }
    if (directories) await this.#syncOne(this.#root, true)
  }

  async #syncOne(path: string, isDirectory: boolean): Promise<void> {
    try {
      if (!isDirectory) return await this.#files.use(path, false, file => file.datasync())
      const directory = await open(path, 'r')
      await directory.sync().finally(() => directory.close())
    } catch (error) {
      // Removed since, as old ones are.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#complain(error, 'lines could not be made durable')
    }
  }

  #complain(error: unknown, what: string): void {
    const now = performance.now()
    if (now - this.#complainedAt < complaintInterval) return
    this.#complainedAt = now
    this.#options.log.error({ error: String(error) }, what)
  }
}
