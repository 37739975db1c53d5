// A service as an operator runs it: a process of its own, told to end by signals, known by its log.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export class LoggedProcess implements AsyncDisposable {
  readonly child: ChildProcess
  /** Exit code, or the signal that ended it. */
  readonly exited: Promise<number | string>
  /** Lines of its own log, as JSON. */
  readonly log: Record<string, unknown>[] = []
  /** Lines of its stdout. */
  readonly lines: string[] = []
  readonly #program: string
  readonly #waiting = new Set<() => void>()
  #stderr = ''

  /** `program`: its path from the root. */
  protected constructor(program: string, args: readonly string[], env: Readonly<Record<string, string>>) {
    this.#program = program
    const file = fileURLToPath(new URL(`../../${program}`, import.meta.url))
    this.child = spawn(process.execPath, [file, '--address', '127.0.0.1', ...args], {
      env: {
        PATH: process.env.PATH,
        NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
        POD_NAMESPACE: 'deis',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.exited = once(this.child, 'exit').then(([code, signal]) => (code ?? signal) as number | string)
    createInterface({ input: this.child.stderr! }).on('line', line => {
      this.#stderr += `${line}\n`
      if (line.startsWith('{')) this.log.push(JSON.parse(line) as Record<string, unknown>)
      this.#wake()
    })
    createInterface({ input: this.child.stdout! }).on('line', line => {
      this.lines.push(line)
      this.#wake()
    })
    void this.exited.then(() => this.#wake())
  }

  /** Resolves with what `find` finds as lines come; rejects when the process ends before. */
  async until<T>(what: string, find: () => T | undefined): Promise<T> {
    for (;;) {
      const found = find()
      if (found !== undefined) return found
      if (this.#isOver) throw new Error(`${this.#program} ended before ${what}:\n${this.#stderr}`)
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#waiting.add(resolve)
      await promise
      this.#waiting.delete(resolve)
    }
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | string> {
    if (!this.#isOver) this.child.kill(signal)
    return this.exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL')
  }

  get #isOver(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake()
  }
}
