// A server process of the cluster: in a process group of its own, logging to a file, and on record in the cluster's
// directory, so that it can be ended by somebody else when the process that started it is gone.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { toolPath } from './command.ts'

export interface DaemonOptions {
  /** The cluster's directory: the working directory, with `log/NAME` and `pid/NAME`. */
  readonly directory: string
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export class Daemon {
  readonly name: string
  /** Rejects, with the end of the log, when the process ends without `kill` having been called. */
  readonly failed: Promise<never>
  readonly #options: DaemonOptions
  readonly #child: ChildProcess
  readonly #exited: Promise<void>
  #killed = false

  constructor(options: DaemonOptions) {
    this.name = options.name
    this.#options = options
    for (const folder of ['log', 'pid']) mkdirSync(join(options.directory, folder), { recursive: true })
    const log = openSync(logFile(options.directory, options.name), 'a')
    this.#child = spawn(options.command, options.args, {
      cwd: options.directory,
      env: { ...process.env, PATH: toolPath, ...options.env },
      stdio: ['ignore', log, log],
      detached: true,
    })
    closeSync(log)
    // Whoever waits for the daemon waits for something else too; the daemon alone must not keep us running.
    this.#child.unref()
    const ended = once(this.#child, 'exit')
    this.#exited = ended.then(
      () => {},
      () => {},
    )
    this.failed = ended.then(
      ([code, signal]) => this.#fail(`ended with ${code ?? signal}`),
      (cause: Error) => this.#fail(`cannot be run: ${cause.message}`),
    )
    this.failed.catch(() => {})
    if (this.#child.pid) record(options.directory, options.name, this.#child.pid)
  }

  /** Ends the process and all that it started, without letting it finish anything; resolves when it is gone. */
  async kill(): Promise<void> {
    this.#killed = true
    if (this.running && this.#child.pid) {
      signalGroup(this.#child.pid)
      this.#child.ref()
      await this.#exited
    }
    unlinkIfThere(join(this.#options.directory, 'pid', this.name))
  }

  get running(): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  #fail(how: string): Promise<never> {
    if (this.#killed) return new Promise(() => {})
    const tail = logTail(this.#options.directory, this.name)
    throw new Error(`${this.name} ${how}; the end of its log:\n${tail}`)
  }
}

/** Where a daemon's output goes. */
export function logFile(directory: string, name: string): string {
  return join(directory, 'log', name)
}

/** The last lines of a daemon's log. */
export function logTail(directory: string, name: string): string {
  const file = logFile(directory, name)
  const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
  return text.slice(-16_384).trimEnd().split('\n').slice(-20).join('\n')
}

/** The processes on record in `directory` that still run. */
export function recorded(directory: string): readonly number[] {
  const folder = join(directory, 'pid')
  if (!existsSync(folder)) return []
  return readdirSync(folder).flatMap(name => {
    const [pid, started] = readFileSync(join(folder, name), 'utf8').split(' ')
    return isAlive(Number(pid), started ?? '') ? [Number(pid)] : []
  })
}

/** Ends all processes on record in `directory` with their groups; resolves when they are gone. */
export async function killRecorded(directory: string): Promise<void> {
  for (const pid of recorded(directory)) signalGroup(pid)
  const deadline = performance.now() + 10_000
  while (recorded(directory).length > 0) {
    if (performance.now() > deadline) throw new Error(`processes that do not end: ${recorded(directory).join(' ')}`)
    await setTimeout(20)
  }
}

/** A process id is given again after a while; together with the time when its process started it is unique. */
export function startTime(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name of the program comes second, in parentheses, and may contain blanks and parentheses itself.
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return state === 'Z' || state === 'X' ? null : (fields[18] ?? null)
  } catch {
    return null
  }
}

export function isAlive(pid: number, started: string): boolean {
  return startTime(pid) === started
}

function record(directory: string, name: string, pid: number): void {
  const started = startTime(pid)
  if (started) writeFileSync(join(directory, 'pid', name), `${pid} ${started}`)
}

function signalGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function unlinkIfThere(path: string): void {
  if (existsSync(path)) unlinkSync(path)
}
