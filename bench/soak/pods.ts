// Pods that come and go, in a child process: see `pods-server.ts`.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Pool } from 'undici'
import { pinnedNode } from '../support/router-process.ts'
import type { Workbench } from '../support/workbench.ts'

export interface PodState {
  /** When a request last reached it, by the shared clock; 0: never. */
  readonly lastArrival: number
  /** How late the pods' process was of late, milliseconds. */
  readonly lag: number
}

export class Pods {
  readonly #control: Pool

  static async start(bench: Workbench, address: string): Promise<Pods> {
    const program = fileURLToPath(import.meta.resolve('./pods-server.ts'))
    const running = await bench.start({ name: 'pods', program: pinnedNode(), args: [program, address] })
    await bench.untilReady(running, async () => readFileSync(running.stdout, 'utf8').endsWith('\n'))
    return new Pods(Number(readFileSync(running.stdout, 'utf8')))
  }

  private constructor(port: number) {
    // A pod that ends takes as long as what is open on it.
    this.#control = new Pool(`http://127.0.0.1:${port}`, { headersTimeout: 0, bodyTimeout: 0 })
  }

  async add(app: string, kind: 'usual' | 'hasty' = 'usual'): Promise<number> {
    const { port } = (await this.#ask('POST', `/pods?app=${app}&kind=${kind}`)) as { port: number }
    return port
  }

  state(port: number): Promise<PodState> {
    return this.#ask('GET', `/pods/${port}`) as Promise<PodState>
  }

  /** Resolves when all that was open on it has ended. */
  async end(port: number): Promise<void> {
    await this.#ask('DELETE', `/pods/${port}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#control.destroy()
  }

  async #ask(method: 'GET' | 'POST' | 'DELETE', path: string): Promise<unknown> {
    const { body } = await this.#control.request({ method, path })
    const answer = (await body.json()) as { error?: string }
    if (answer.error !== undefined) throw new Error(`pods: ${answer.error}`)
    return answer
  }
}
