// The router as an operator runs it.

import { LoggedProcess } from './logged-process.ts'

export class RouterProcess extends LoggedProcess {
  /** Ports are the kernel's choice unless `args` say otherwise. */
  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    super('router/main.ts', [...ports, ...args], env)
  }

  /** Lines so far. */
  get accessLog(): readonly string[] {
    return this.lines
  }

  /** The ports, once it serves. */
  async ready(): Promise<{ http: number; https: number; admin: number }> {
    const line = await this.until('it listened', () => this.log.find(entry => entry.message === 'listening'))
    return line as { http: number; https: number; admin: number }
  }
}

const ports = ['--http-port', '0', '--https-port', '0', '--admin-port', '0', '--builder-port', '0']
