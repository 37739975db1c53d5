// The collector as an operator runs it: a process of its own, known by its log and its ports.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

const program = new URL('../../logger/collector/main.ts', import.meta.url).pathname

export class CollectorProcess implements AsyncDisposable {
  readonly child: ChildProcess
  readonly adminPort: number

  private constructor(child: ChildProcess, adminPort: number) {
    this.child = child
    this.adminPort = adminPort
  }

  static async start(args: readonly string[]): Promise<CollectorProcess> {
    const admin = ['--address', '127.0.0.1', '--admin-port', '0']
    const child = spawn(process.execPath, [program, ...admin, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
    const said: string[] = []
    for await (const line of createInterface({ input: child.stderr! })) {
      said.push(line)
      if (!line.includes('"the collector is up"')) continue
      child.stderr!.resume()
      return new CollectorProcess(child, (JSON.parse(line) as { adminPort: number }).adminPort)
    }
    throw new Error(`the collector ended: ${said.join('\n')}`)
  }

  /** Exit code, or the signal that ended it. */
  async end(signal: NodeJS.Signals): Promise<number | string> {
    const { child } = this
    if (child.exitCode !== null || child.signalCode !== null) return (child.exitCode ?? child.signalCode)!
    const exited = once(child, 'exit')
    child.kill(signal)
    const [code, name] = (await exited) as [number | null, string | null]
    return code ?? name!
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL')
  }
}
