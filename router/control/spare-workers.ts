// Workers that are started before anybody knows what they are to serve: what they import takes 0.1 s each, which passes
// while control reads the world.

import { Worker } from 'node:worker_threads'

export class SpareWorkers {
  readonly #url: URL
  /** The first one for the first data thread. */
  #spare: Worker[] = []

  constructor(url: URL) {
    this.#url = url
  }

  /** Starts `count` more; each waits for its `begin`. */
  prepare(count: number): void {
    for (let index = 0; index < count; index++) {
      const worker = new Worker(this.#url, { workerData: null, name: `data-${index}` })
      // One that dies is not missed: whoever finds none starts one, and tells what is wrong with it.
      const forget = (): void => {
        this.#spare = this.#spare.filter(other => other !== worker)
      }
      worker.on('error', forget)
      worker.on('exit', forget)
      this.#spare.push(worker)
    }
  }

  get size(): number {
    return this.#spare.length
  }

  /** One of them, which is the caller's now; null: there is none. */
  take(): Worker | null {
    return this.#spare.shift() ?? null
  }

  /** Ends those that nobody took. */
  async end(): Promise<void> {
    await Promise.all(this.#spare.splice(0).map(worker => worker.terminate()))
  }
}
