// The example app, twice, as child processes on ports of the kernel's choice.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { exitCode, StartupError } from '#kit/exit.ts'

const program = fileURLToPath(new URL('../examples/hello/server.ts', import.meta.url))

export class ExampleApp implements AsyncDisposable {
  readonly port: number
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.port = port
  }

  /** Resolves once it listens. Throws StartupError 69 when it ends before. */
  static async start(name: string): Promise<ExampleApp> {
    const child = spawn(process.execPath, [program], {
      env: { ...process.env, NAME: name, PORT: '0' },
      // A channel, so that it ends with us whatever ends us; a process group of its own, so that Ctrl-C does not reach it
      // before the router has let go of it.
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      detached: true,
    })
    for await (const line of createInterface({ input: child.stdout! })) {
      const port = /^listening on ([0-9]+)$/.exec(line)?.[1]
      if (port !== undefined) return new ExampleApp(child, Number(port))
    }
    throw new StartupError(exitCode.unavailable, `the example app ${name} ended before it listened`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill('SIGTERM')
    await once(this.#child, 'exit')
  }
}
