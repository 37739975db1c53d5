// A service as an operator runs it: a process of its own, known by its log.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export class ServiceProcess<Up> implements AsyncDisposable {
  readonly child: ChildProcess
  /** The line that says that it is up, which names its ports. */
  readonly up: Up
  /** Its log until then. */
  readonly said: readonly Record<string, unknown>[]

  protected constructor(child: ChildProcess, said: readonly Record<string, unknown>[]) {
    this.child = child
    this.said = said
    this.up = said.at(-1) as Up
  }

  /** `name`: as it calls itself when it is up. */
  static async run<Up>(
    name: string,
    program: string,
    args: readonly string[],
    env: NodeJS.ProcessEnv = process.env,
  ): Promise<ServiceProcess<Up>> {
    const file = fileURLToPath(new URL(`../../${program}`, import.meta.url))
    const child = spawn(process.execPath, [file, '--address', '127.0.0.1', ...args], {
      env: { ...env, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const said: Record<string, unknown>[] = []
    for await (const line of createInterface({ input: child.stderr! })) {
      said.push(line.startsWith('{') ? JSON.parse(line) : { line })
      if (said.at(-1)!.message !== `the ${name} is up`) continue
      child.stderr!.resume()
      return new ServiceProcess<Up>(child, said)
    }
    throw new Error(`the ${name} ended: ${JSON.stringify(said)}`)
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

const free = (...flags: readonly string[]): readonly string[] => flags.flatMap(flag => [flag, '0'])

export interface RegistryPorts {
  readonly port: number
  readonly adminPort: number
}

export function startRegistry(args: readonly string[]): Promise<ServiceProcess<RegistryPorts>> {
  return ServiceProcess.run('registry', 'registry/main.ts', [...free('--port', '--admin-port'), ...args])
}

export interface LoggerPorts {
  readonly httpPort: number
  readonly adminPort: number
  readonly udpPort: number
  readonly tcpPort: number
}

export function startLogger(args: readonly string[]): Promise<ServiceProcess<LoggerPorts>> {
  const ports = free('--http-port', '--admin-port', '--udp-port', '--tcp-port')
  return ServiceProcess.run('logger', 'logger/main.ts', [...ports, ...args])
}

export function startCollector(args: readonly string[]): Promise<ServiceProcess<{ readonly adminPort: number }>> {
  return ServiceProcess.run('collector', 'logger/collector/main.ts', [...free('--admin-port'), ...args])
}

/** `key`: the one that the controller knows. */
export function startBuilder(args: readonly string[], key: string): Promise<ServiceProcess<{ readonly port: number }>> {
  const env = { PATH: process.env.PATH, DEIS_BUILDER_KEY: key }
  return ServiceProcess.run('builder', 'builder/main.ts', [...free('--port', '--health-port'), ...args], env)
}
