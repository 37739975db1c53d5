// The programs of one build: each a process group of its own, and all of them within the limits of the build. Whatever
// ends a build ends what runs of it then.

import { setPriority } from 'node:os'
import type { Readable } from 'node:stream'
import { ChildGroup, type Exit, exitCodeOf } from '#kit/children/child-group.ts'
import type { Journal } from '#kit/children/journal.ts'
import { readLines } from '#kit/children/lines.ts'
import type { MemoryGuard } from '#kit/children/memory-guard.ts'
import { BuildError } from '../strategy.ts'
import { type DiskLimit, watchDisk } from './disk-guard.ts'

export interface BuildLimits {
  /** Milliseconds. */
  readonly time: number
  /** Bytes that its programs hold in memory. */
  readonly memory: number
  /** Of all that is in its directory. */
  readonly disk: DiskLimit
}

export interface StepsOptions {
  readonly app: string
  /** What it writes is below these. */
  readonly directories: readonly string[]
  readonly journal: Journal
  readonly memory: MemoryGuard
  readonly limits: BuildLimits
  /** Milliseconds between two looks at the disk. */
  readonly interval: number
  readonly signal: AbortSignal
}

export interface Step {
  readonly name: string
  readonly command: readonly string[]
  readonly directory: string
  readonly environment: Readonly<Record<string, string>>
  /** A line of either stream. */
  readonly hear: (line: string) => void
}

/** What ends a program before its time may still be written to disk, milliseconds. */
const grace = 2_000
/** Builds give way to what serves requests. */
const niceness = 10

export class Steps implements Disposable {
  readonly #options: StepsOptions
  readonly #over = new AbortController()
  readonly #signal: AbortSignal
  readonly #disk: Disposable
  readonly #timer: NodeJS.Timeout

  constructor(options: StepsOptions) {
    this.#options = options
    const { limits, directories, interval } = options
    this.#signal = AbortSignal.any([options.signal, this.#over.signal])
    this.#timer = setTimeout(() => this.#end(`took longer than ${durationText(limits.time)}`), limits.time)
    this.#disk = watchDisk(directories, limits.disk, interval, ({ bytes }) =>
      this.#end(
        bytes > limits.disk.bytes
          ? `wrote more than ${megabytes(limits.disk.bytes)} to the disk`
          : `made more than ${limits.disk.files} files`,
      ),
    )
  }

  /** Aborts when the build is over before its time; the reason is what to say of it. */
  get signal(): AbortSignal {
    return this.#signal
  }

  /** Runs it to its end and returns its exit status. Throws BuildError, or the reason of the signal. */
  async run(step: Step): Promise<number> {
    const exit = await this.#run(step)
    this.#signal.throwIfAborted()
    if (exit.kind === 'unstarted') throw new BuildError('lost', `${step.name} cannot be started (${exit.reason})`)
    return exitCodeOf(exit)
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    this.#disk[Symbol.dispose]()
  }

  async #run({ name, command, directory, environment, hear }: Step): Promise<Exit> {
    this.#signal.throwIfAborted()
    const { app, journal, memory, limits } = this.#options
    const listen = (stream: Readable): void => readLines(stream, hear)
    const output = { kind: 'joined', listen } as const
    const group = new ChildGroup({ journal, app, name, command, directory, environment, output })
    const end = (): void => void group.stop(grace)
    this.#signal.addEventListener('abort', end)
    if (group.pid !== 0) {
      giveWay(group.pid)
      memory.watch(group.pid, limits.memory, () => {
        group.kill()
        this.#end(`held more than ${megabytes(limits.memory)} of memory`)
      })
    }
    const exit = await group.exited
    memory.forget(group.pid)
    this.#signal.removeEventListener('abort', end)
    return exit
  }

  #end(what: string): void {
    this.#over.abort(new BuildError('failed', `The build ${what}, and was stopped.`))
  }
}

function giveWay(pid: number): void {
  try {
    setPriority(pid, niceness)
  } catch {
    // It is gone already.
  }
}

function megabytes(bytes: number): string {
  return `${Math.floor(bytes / 2 ** 20)} MB`
}

function durationText(milliseconds: number): string {
  return milliseconds % 60_000 === 0 ? `${milliseconds / 60_000} minutes` : `${milliseconds / 1_000} s`
}
