// `npm start` as a person runs it: a process of its own, known by what it prints and by its ports, ended by signals.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** Without npm, which takes half a second. */
const standardCommand = [process.execPath, join(root, 'standalone/main.ts')]

export interface NpmStartPorts {
  readonly http: number
  readonly https: number
  readonly builder: number
  readonly admin: number
}

export class NpmStart implements AsyncDisposable {
  readonly child: ChildProcess
  /** Exit code or signal, once all that it wrote was read. */
  readonly ended: Promise<number | string>
  stdout = ''
  stderr = ''
  readonly #waiting = new Set<() => void>()

  /** Ports are the kernel's choice unless `args` say otherwise. `command`: what npm runs; or npm. */
  constructor(data: string, args: readonly string[] = [], command: readonly string[] = standardCommand) {
    const ports = ['--http-port', '0', '--https-port', '0', '--builder-port', '0', '--admin-port', '0']
    const [program = '', ...words] = command
    this.child = spawn(program, [...words, '--data', data, ...ports, ...args], {
      cwd: root,
      env: { PATH: process.env.PATH, HOME: data, LANG: 'C.UTF-8' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.ended = once(this.child, 'close').then(([code, signal]) => (code ?? signal) as number | string)
    createInterface({ input: this.child.stdout! }).on('line', line => {
      this.stdout += `${line}\n`
      for (const wake of this.#waiting) wake()
    })
    createInterface({ input: this.child.stderr! }).on('line', line => {
      this.stderr += `${line}\n`
      for (const wake of this.#waiting) wake()
    })
    void this.ended.then(() => {
      for (const wake of this.#waiting) wake()
    })
  }

  get #hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null
  }

  /** Resolves with what `find` finds in what was printed so far; rejects when the process ends before. */
  async until<T>(what: string, find: () => T | null): Promise<T> {
    for (;;) {
      const found = find()
      if (found !== null) return found
      if (this.#hasEnded) throw new Error(`npm start ended before ${what}:\n${this.stderr}`)
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#waiting.add(resolve)
      await promise
      this.#waiting.delete(resolve)
    }
  }

  /** The ports, once it says that it is up. */
  async ready(): Promise<NpmStartPorts> {
    const parts = await this.until('it was up', () => {
      if (!this.stdout.includes('Ctrl-C stops everything')) return null
      const http = /deis\.localhost:(\d+)/.exec(this.stdout)?.[1]
      const https = /HTTPS: (\d+)/.exec(this.stdout)?.[1]
      const builder = /SSH: (\d+)/.exec(this.stdout)?.[1]
      const admin = /router: http:\/\/127\.0\.0\.1:(\d+)/.exec(this.stdout)?.[1]
      return { http, https, builder, admin }
    })
    const ports = Object.entries(parts).map(([name, port]) => [name, Number(port)] as const)
    if (ports.some(([, port]) => !Number.isInteger(port))) throw new Error(`ports are missing in:\n${this.stdout}`)
    return Object.fromEntries(ports) as unknown as NpmStartPorts
  }

  /** Signals it as Ctrl-C does, and resolves with its exit code. */
  async stop(signal: NodeJS.Signals = 'SIGINT'): Promise<number | string> {
    this.child.kill(signal)
    return await this.ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#hasEnded) return
    await this.stop('SIGTERM')
  }
}
