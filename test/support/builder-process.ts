// The builder as an operator runs it: a process of its own on free ports, known by its log.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

const program = new URL('../../builder/main.ts', import.meta.url).pathname

export class BuilderProcess implements AsyncDisposable {
  readonly child: ChildProcess
  readonly port: number
  /** Of its log, up to when it was up. */
  readonly said: readonly Record<string, unknown>[]

  private constructor(child: ChildProcess, port: number, said: readonly Record<string, unknown>[]) {
    this.child = child
    this.port = port
    this.said = said
  }

  /** `key`: the one that the controller knows. */
  static async start(args: readonly string[], key: string): Promise<BuilderProcess> {
    const ports = ['--address', '127.0.0.1', '--port', '0', '--health-port', '0']
    const child = spawn(process.execPath, [program, ...ports, ...args], {
      env: { PATH: process.env.PATH, DEIS_BUILDER_KEY: key },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const said: Record<string, unknown>[] = []
    for await (const line of createInterface({ input: child.stderr! })) {
      said.push(line.startsWith('{') ? JSON.parse(line) : { line })
      const { message, port } = said.at(-1)!
      if (message !== 'the builder is up') continue
      child.stderr!.resume()
      return new BuilderProcess(child, port as number, said)
    }
    throw new Error(`the builder ended: ${JSON.stringify(said)}`)
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const exited = once(this.child, 'exit')
    this.child.kill(signal)
    await exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL')
  }
}
