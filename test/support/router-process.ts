// The router as an operator runs it: a process of its own, told to end by signals, known by its log and its ports.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

const program = new URL('../../router/main.ts', import.meta.url).pathname

export class RouterProcess implements AsyncDisposable {
  readonly child: ChildProcess
  readonly exited: Promise<number | string>
  /** Lines of its own log, as JSON. */
  readonly log: Record<string, unknown>[] = []
  /** Lines of the access log. */
  readonly accessLog: string[] = []
  readonly #waiting = new Set<() => void>()
  #stderr = ''

  /** Ports are the kernel's choice unless `args` say otherwise. */
  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const ports = ['--http-port', '0', '--https-port', '0', '--admin-port', '0', '--builder-port', '0']
    this.child = spawn(process.execPath, [program, '--address', '127.0.0.1', ...ports, ...args], {
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
      this.accessLog.push(line)
      this.#wake()
    })
    void this.exited.then(() => this.#wake())
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
  }

  /** Resolves with what `find` finds as lines come; rejects when the process ends before. */
  async until<T>(what: string, find: () => T | undefined): Promise<T> {
    for (;;) {
      const found = find()
      if (found !== undefined) return found
      if (this.child.exitCode !== null || this.child.signalCode !== null) {
        throw new Error(`the router ended before ${what}:\n${this.#stderr}`)
      }
      await new Promise<void>(resolve => {
        const wake = (): void => {
          this.#waiting.delete(wake)
          resolve()
        }
        this.#waiting.add(wake)
      })
    }
  }

  /** The ports, once it serves. */
  async ready(): Promise<{ http: number; https: number; admin: number }> {
    const line = await this.until('it listened', () => this.log.find(entry => entry.message === 'listening'))
    return line as { http: number; https: number; admin: number }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL')
    await this.exited
  }
}
