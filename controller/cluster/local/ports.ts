// Ports for processes to listen on, by the kernel's choice. One that was given back is not given out again for a while:
// the router may still know it, and requests for one app must not reach another.

import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'

/** How long a port is left alone, milliseconds. */
const rest = 60_000
/** Every port that the kernel gives may be one of ours at rest; so often another one is asked for. */
const tries = 100

export class Ports {
  readonly #held = new Set<number>()
  /** Port → when it may be used again. */
  readonly #resting = new Map<number, number>()

  /** Throws when there is none. */
  async take(): Promise<number> {
    const now = performance.now()
    for (const [port, until] of this.#resting) if (until <= now) this.#resting.delete(port)
    for (let i = 0; i < tries; i++) {
      const port = await freePort()
      if (this.#held.has(port) || this.#resting.has(port)) continue
      this.#held.add(port)
      return port
    }
    throw new Error('there is no free port')
  }

  giveBack(port: number): void {
    if (this.#held.delete(port)) this.#resting.set(port, performance.now() + rest)
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  // On all addresses: an app may listen on any of them.
  server.listen(0)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
