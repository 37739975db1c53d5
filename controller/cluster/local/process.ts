// One process of an app, as the API lists it: a child process that is started again when it ends, until it is stopped.
// Its name stays, its port does not.

import { createHash, randomBytes } from 'node:crypto'
import type { Readable } from 'node:stream'
import { type BackoffRange, fullJitter } from '#kit/backoff.ts'
import { ChildGroup, explainExit } from '#kit/children/child-group.ts'
import type { Journal } from '#kit/children/journal.ts'
import { readLines } from '#kit/children/lines.ts'
import type { MemoryGuard } from '#kit/children/memory-guard.ts'
import type { Clock } from '#kit/clock.ts'
import type { AppId } from '../../domain/app.ts'
import type { Probes } from '../../domain/config.ts'
import type { ProcessState } from '../cluster.ts'
import { followHealth } from './health.ts'
import type { Files, OwnFiles } from './own-files.ts'
import type { Ports } from './ports.ts'

/** Where lines of processes go, and what there is to tell of them. */
export interface Logs {
  /** `process`: `web.v2.nzf60`. */
  line(app: AppId, process: string, text: string): void
}

/** What a process is: of two with the same one, one can stand in for the other. */
export interface ProcessSpec {
  readonly app: AppId
  readonly type: string
  readonly version: number
  /** With what the shell is told. */
  readonly command: readonly string[]
  /** Of its image. */
  readonly directory: string
  /** See ImageDirectory: with one, it runs in a copy. */
  readonly root: string | null
  /** Without what each run has its own of: see `environmentAt`. */
  readonly environment: Readonly<Record<string, string>>
  /** What the config calls the port it listens on; null: on none. */
  readonly configuredPort: number | null
  readonly probes: Probes
  /** Bytes; null: no limit. */
  readonly memory: number | null
  /** Milliseconds. */
  readonly grace: number
}

/**
 * Ten hexadecimal digits that stand for the spec, as a ReplicaSet's hash does. How it is checked is left out: that
 * follows from routing too, and is no reason to start anything again.
 */
export function hashOf({ probes, ...spec }: ProcessSpec): string {
  return createHash('sha256').update(JSON.stringify(spec)).digest('hex').slice(0, 10)
}

/** What a run of it is given: its own HOME and TMPDIR, unless its config says otherwise, and its PORT. */
export function environmentAt(
  { environment }: ProcessSpec,
  { directory, temporary }: Files,
  port: number | null,
): Readonly<Record<string, string>> {
  const all = { HOME: directory, TMPDIR: temporary, ...environment }
  return port === null ? all : { ...all, PORT: String(port) }
}

/** So many of a-z0-9. */
export function randomSuffix(length = 5): string {
  return Array.from(randomBytes(length), byte => (byte % 36).toString(36)).join('')
}

/** What processes of this machine share. */
export interface ProcessHost {
  readonly journal: Journal
  readonly files: OwnFiles
  readonly ports: Ports
  readonly memory: MemoryGuard
  readonly logs: Logs
  readonly clock: Clock
  readonly backoff: BackoffRange
  /** Milliseconds; see HealthOptions. */
  readonly settle: number
  /** After living so long, its end is not held against it, milliseconds. */
  readonly stable: number
}

/** Starts in a row that failed, after which it is in a crash loop. */
export const crashLoop = 3
const lastLines = 10
const maxLastLine = 500

export class LocalProcess {
  readonly name: string
  /** What its lines are said to be of. */
  readonly logName: string
  readonly hash: string
  readonly spec: ProcessSpec
  readonly started: Date
  /** Traffic may go to it when it is ready. */
  serving = false
  readonly #host: ProcessHost
  readonly #onChange: () => void
  readonly #stop = new AbortController()
  readonly #ended: Promise<void>
  readonly #last: string[] = []
  #group: ChildGroup | null = null
  #port: number | null = null
  #ready = false
  #failures = 0
  /** Why it is not ready, a clause. */
  #reason = 'it has not started yet'

  /** `onChange` is called after each change of what the getters tell, never from within the constructor. */
  constructor(spec: ProcessSpec, hash: string, host: ProcessHost, onChange: () => void) {
    const suffix = randomSuffix()
    this.name = `${spec.app}-${spec.type}-${hash}-${suffix}`
    this.logName = `${spec.type}.v${spec.version}.${suffix}`
    this.hash = hash
    this.spec = spec
    this.started = new Date(host.clock.wallClock())
    this.#host = host
    this.#onChange = onChange
    this.#ended = this.#supervise()
  }

  get state(): ProcessState {
    if (this.isStopping) return 'terminating'
    if (this.#ready) return 'up'
    return this.isLooping ? 'crashed' : 'starting'
  }

  get isReady(): boolean {
    return this.#ready && !this.isStopping
  }

  get isStopping(): boolean {
    return this.#stop.signal.aborted
  }

  /** It ended again and again. */
  get isLooping(): boolean {
    return this.#failures >= crashLoop
  }

  /** Where it listens now; null: nowhere. */
  get port(): number | null {
    return this.#port
  }

  /** Why it is not up, with its last lines. */
  explain(): string {
    const said = this.#last.length === 0 ? '' : `\nLast output of ${this.name}:\n${this.#last.join('\n')}`
    return `${this.#reason}${said}`
  }

  /** SIGTERM, and SIGKILL after the grace time. Resolves when nothing of it is left. */
  stop(): Promise<void> {
    if (!this.isStopping) {
      this.#stop.abort()
      void this.#group?.stop(this.spec.grace)
      this.#onChange()
    }
    return this.#ended
  }

  async #supervise(): Promise<void> {
    const { clock, backoff, stable } = this.#host
    // The caller knows us first.
    await null
    while (!this.isStopping) {
      const since = clock.now()
      await this.#runOnce().catch((error: unknown) => {
        this.#reason = `it cannot be started (${(error as Error).message})`
      })
      if (this.isStopping) break
      this.#failures = clock.now() - since >= stable ? 1 : this.#failures + 1
      const pause = fullJitter(this.#failures, backoff, Math.random)
      this.#say(`Process ended: ${this.#reason}; it is started again in ${(pause / 1_000).toFixed(1)} s`)
      this.#onChange()
      await clock.delay(pause, this.#stop.signal)
    }
    this.#onChange()
  }

  /** From start to end; its files and its port are nobody else's as long. */
  async #runOnce(): Promise<void> {
    const { files, ports } = this.#host
    await using own = await files.make(this.spec, this.#stop.signal)
    const port = this.spec.configuredPort === null ? null : await ports.take()
    try {
      if (this.isStopping) return
      await this.#runAt(port, own)
    } finally {
      if (port !== null) ports.giveBack(port)
    }
  }

  async #runAt(port: number | null, files: Files): Promise<void> {
    const { spec } = this
    const { journal, memory, clock, settle } = this.#host
    const { app, command } = spec
    const { directory } = files
    const common = { journal, app, directory, environment: environmentAt(spec, files, port) }
    const output = {
      kind: 'separate',
      listen: (stream: Readable) => readLines(stream, line => this.#hear(line)),
    } as const
    const group = new ChildGroup({ ...common, name: this.name, command, output })
    this.#group = group
    this.#port = port
    let why: string | null = null
    const end = (reason: string, kill: () => void): void => {
      why = reason
      this.#setReady(false, reason)
      kill()
    }
    if (spec.memory !== null && group.pid !== 0)
      memory.watch(group.pid, spec.memory, () => {
        this.#say('Memory quota exceeded')
        end(`it held more than its memory limit of ${spec.memory} bytes`, () => group.kill())
      })
    const over = new AbortController()
    const health = followHealth(
      {
        probes: spec.probes,
        target: { port, configuredPort: spec.configuredPort, group: common },
        clock,
        settle,
        onReady: (ready, reason) => {
          if (why === null) this.#setReady(ready, `its readiness probe fails: ${reason}`)
        },
        onDead: reason => end(`its liveness probe fails: ${reason}`, () => void group.stop(spec.grace)),
      },
      over.signal,
    )
    const exit = await group.exited
    over.abort()
    memory.forget(group.pid)
    this.#group = null
    this.#port = null
    this.#setReady(false, why ?? explainExit(exit))
    await health
  }

  #setReady(ready: boolean, reason: string): void {
    this.#reason = reason
    if (ready === this.#ready) return
    this.#ready = ready
    if (ready) this.#failures = Math.min(this.#failures, crashLoop - 1)
    this.#onChange()
  }

  #hear(line: string): void {
    if (this.#last.push(line.slice(0, maxLastLine)) > lastLines) this.#last.shift()
    this.#host.logs.line(this.spec.app, this.logName, line)
  }

  /** What we say of it, among its own lines. */
  #say(text: string): void {
    this.#host.logs.line(this.spec.app, this.logName, text)
  }
}
