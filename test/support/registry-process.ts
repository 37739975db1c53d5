// The registry as an operator runs it: a process of its own on free ports, known by its log.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

const program = new URL('../../registry/main.ts', import.meta.url).pathname

export class RegistryProcess implements AsyncDisposable {
  readonly child: ChildProcess
  readonly port: number
  readonly adminPort: number

  private constructor(child: ChildProcess, port: number, adminPort: number) {
    this.child = child
    this.port = port
    this.adminPort = adminPort
  }

  static async start(args: readonly string[]): Promise<RegistryProcess> {
    const ports = ['--address', '127.0.0.1', '--port', '0', '--admin-port', '0']
    const child = spawn(process.execPath, [program, ...ports, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
    const said: string[] = []
    for await (const line of createInterface({ input: child.stderr! })) {
      said.push(line)
      if (!line.includes('"the registry is up"')) continue
      child.stderr!.resume()
      const { port, adminPort } = JSON.parse(line) as { port: number; adminPort: number }
      return new RegistryProcess(child, port, adminPort)
    }
    throw new Error(`the registry ended: ${said.join('\n')}`)
  }

  async end(signal: NodeJS.Signals): Promise<number | string> {
    if (this.child.exitCode !== null || this.child.signalCode !== null)
      return (this.child.exitCode ?? this.child.signalCode)!
    const exited = once(this.child, 'exit')
    this.child.kill(signal)
    const [code, name] = (await exited) as [number | null, string | null]
    return code ?? name!
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL')
  }
}
