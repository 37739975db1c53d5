// What one bench run owns: a temporary directory and child processes. All of it goes away with the run, also on an
// error and on Ctrl-C; processes are ended by their own id, the directory is removed last.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A program to run. */
export interface Command {
  /** What messages call it; also names its output files. */
  readonly name: string
  readonly program: string
  readonly args: readonly string[]
  /** Added to PATH and HOME, which are all that a child inherits. */
  readonly env?: Readonly<Record<string, string>>
  /** The one CPU that it may run on; null: any. */
  readonly cpu?: number | null
  readonly directory?: string
}

/** A child process of the run. */
export interface Running {
  readonly pid: number
  readonly command: Command
  /** When it was started, as `performance.now()` tells it. */
  readonly startedAt: number
  /** Where its output goes. */
  readonly stdout: string
  readonly stderr: string
  /** Resolves with the exit code, or with the name of the signal that ended it. Never rejects. */
  readonly ended: Promise<number | string>
  hasEnded(): boolean
}

export class Workbench implements AsyncDisposable {
  /** Absolute; nothing else writes here. */
  readonly directory = mkdtempSync(join(tmpdir(), 'bench-'))
  #children = new Map<number, { child: ChildProcess; running: Running }>()
  #count = 0
  #onExit = () => this.#killAll()
  #onSignal = (signal: NodeJS.Signals) => {
    this.#killAll()
    process.exit(signal === 'SIGINT' ? 130 : 143)
  }

  readonly #patience: number

  /** `patience`: how long a child may take to end before it is killed, in milliseconds. */
  constructor(patience = 3_000) {
    this.#patience = patience
    process.on('exit', this.#onExit)
    process.on('SIGINT', this.#onSignal)
    process.on('SIGTERM', this.#onSignal)
  }

  /** Children that have not ended. */
  get running(): readonly Running[] {
    return [...this.#children.values()].map(({ running }) => running)
  }

  /** A path in the run's directory. */
  path(name: string): string {
    return join(this.directory, name)
  }

  /** Starts a child whose output goes to files. Throws when the program cannot be started at all. */
  async start(command: Command): Promise<Running> {
    const label = `${String(++this.#count).padStart(3, '0')}-${command.name}`
    const stdout = this.path(`${label}.out`)
    const stderr = this.path(`${label}.err`)
    const files = [openSync(stdout, 'a'), openSync(stderr, 'a')] as const
    const pinned = command.cpu !== null && command.cpu !== undefined
    const program = pinned ? 'taskset' : command.program
    const args = pinned ? ['-c', String(command.cpu), command.program, ...command.args] : [...command.args]
    try {
      const startedAt = performance.now()
      const child = spawn(program, args, {
        stdio: ['ignore', ...files],
        cwd: command.directory ?? this.directory,
        env: { PATH: process.env.PATH ?? '', HOME: this.directory, ...command.env },
      })
      await once(child, 'spawn')
      const pid = child.pid!
      let over = false
      const ended = new Promise<number | string>(resolve => {
        child.once('exit', (code, signal) => {
          over = true
          this.#children.delete(pid)
          resolve(code ?? signal ?? 'unknown')
        })
      })
      const running: Running = { pid, command, startedAt, stdout, stderr, ended, hasEnded: () => over }
      this.#children.set(pid, { child, running })
      return running
    } finally {
      for (const file of files) closeSync(file)
    }
  }

  /** Asks the child to end, insists when it takes too long, and returns when it is gone. */
  async stop(running: Running): Promise<void> {
    const entry = this.#children.get(running.pid)
    if (entry === undefined) return
    entry.child.kill('SIGTERM')
    const insist = setTimeout(() => entry.child.kill('SIGKILL'), this.#patience)
    await running.ended
    clearTimeout(insist)
  }

  /**
   * Polls until `check` holds. Throws with the child's last words when it ends before, and when `timeout`
   * milliseconds have passed.
   */
  async untilReady(running: Running, check: () => Promise<boolean>, timeout = 30_000): Promise<void> {
    const deadline = performance.now() + timeout
    while (!(await check().catch(() => false))) {
      if (running.hasEnded())
        throw new Error(`${running.command.name} ended before it was ready: ${this.lastWords(running)}`)
      if (performance.now() > deadline)
        throw new Error(`${running.command.name} was not ready in ${timeout / 1000} s: ${this.lastWords(running)}`)
      await new Promise(resolve => setTimeout(resolve, 10))
    }
  }

  /** The end of what the child wrote to its error output, or of its output when that is empty. */
  lastWords(running: Running): string {
    const text = readFileSync(running.stderr, 'utf8').trim() || readFileSync(running.stdout, 'utf8').trim()
    return text.slice(-600) || '(it said nothing)'
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#children.values()].map(({ running }) => this.stop(running)))
    process.off('exit', this.#onExit)
    process.off('SIGINT', this.#onSignal)
    process.off('SIGTERM', this.#onSignal)
    rmSync(this.directory, { recursive: true, force: true })
  }

  /** Synchronous, for the moments when nothing can be awaited any more. nginx's workers follow their master. */
  #killAll(): void {
    for (const { child } of this.#children.values()) child.kill('SIGTERM')
    const deadline = performance.now() + 500
    while (this.#children.size > 0 && performance.now() < deadline) {
      const alive = [...this.#children.values()].filter(({ child }) => isAlive(child.pid!))
      if (alive.length === 0) break
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
    }
    for (const { child } of this.#children.values()) child.kill('SIGKILL')
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** A child that has ended stays a zombie until the event loop turns; it counts as gone. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
