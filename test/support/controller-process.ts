// The controller as an operator runs it: a process of its own, told to end by signals, known by its log and its ports.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

const program = new URL('../../controller/main.ts', import.meta.url).pathname

export interface ApiReply {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it in their own ways
  readonly body: any
}

export class ControllerProcess implements AsyncDisposable {
  readonly child: ChildProcess
  /** Exit code, or the signal that ended it. */
  readonly exited: Promise<number | string>
  /** Lines of its own log, as JSON. */
  readonly log: Record<string, unknown>[] = []
  /** Lines of apps. */
  readonly lines: string[] = []
  readonly #waiting = new Set<() => void>()
  #words = ''

  /** Ports are the kernel's choice unless `args` say otherwise. */
  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const ports = ['--address', '127.0.0.1', '--port', '0', '--admin-port', '0']
    this.child = spawn(process.execPath, [program, ...ports, ...args], {
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
      if (line.startsWith('{')) this.log.push(JSON.parse(line) as Record<string, unknown>)
      else this.#words += `${line}\n`
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
      if (this.child.exitCode !== null || this.child.signalCode !== null)
        throw new Error(
          `the controller ended before ${what}:\n${this.#words}${this.log.map(line => JSON.stringify(line)).join('\n')}`,
        )
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#waiting.add(resolve)
      await promise
      this.#waiting.delete(resolve)
    }
  }

  /** Of the API, once it is up. */
  get port(): Promise<number> {
    return this.until('the API was up', () => {
      const line = this.log.find(({ message }) => message === 'the API is up')
      return line === undefined ? undefined : (line.port as number)
    })
  }

  async call(method: string, path: string, token: string | null = null, body?: unknown): Promise<ApiReply> {
    const response = await fetch(`http://127.0.0.1:${await this.port}${path}`, {
      method,
      headers: {
        'content-type': 'application/json',
        ...(token === null ? {} : { authorization: `token ${token}` }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    const isJson = response.headers.get('content-type') === 'application/json' && text !== ''
    return { status: response.status, body: isJson ? JSON.parse(text) : text }
  }

  /** Registers a user, and logs in. Returns the token. */
  async user(username: string): Promise<string> {
    const password = `password of ${username}`
    await this.call('POST', '/v2/auth/register/', null, { username, password, email: '' })
    const { status, body } = await this.call('POST', '/v2/auth/login/', null, { username, password })
    if (status !== 200) throw new Error(`${username} could not log in: ${JSON.stringify(body)}`)
    return body.token
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | string> {
    this.child.kill(signal)
    return this.exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) await this.end('SIGKILL')
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake()
  }
}
