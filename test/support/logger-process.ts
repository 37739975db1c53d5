// The logger as an operator runs it: a process of its own on free ports, known by its log.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

const program = new URL('../../logger/main.ts', import.meta.url).pathname
const freePorts = ['--http-port', '--admin-port', '--udp-port', '--tcp-port'].flatMap(flag => [flag, '0'])

export interface LoggerPorts {
  readonly httpPort: number
  readonly adminPort: number
  readonly udpPort: number
  readonly tcpPort: number
}

export class LoggerProcess implements AsyncDisposable {
  readonly child: ChildProcess
  readonly ports: LoggerPorts

  private constructor(child: ChildProcess, ports: LoggerPorts) {
    this.child = child
    this.ports = ports
  }

  static async start(args: readonly string[]): Promise<LoggerProcess> {
    const child = spawn(process.execPath, [program, '--address', '127.0.0.1', ...freePorts, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const said: string[] = []
    for await (const line of createInterface({ input: child.stderr! })) {
      said.push(line)
      if (!line.includes('"the logger is up"')) continue
      child.stderr!.resume()
      return new LoggerProcess(child, JSON.parse(line) as LoggerPorts)
    }
    throw new Error(`the logger ended: ${said.join('\n')}`)
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
