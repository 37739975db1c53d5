// A port that takes a connection attempt and never completes it, as an address does that nobody has.

import { Worker } from 'node:worker_threads'
import { connectTo, type Peer } from './peer.ts'

/** Listens with the shortest queue, says where, and then never goes back to its loop until it is let go. */
const source = `
  const { workerData, parentPort } = require('node:worker_threads')
  const server = require('node:net').createServer()
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    parentPort.postMessage(server.address().port)
    Atomics.wait(new Int32Array(workerData), 0, 0)
    process.exit()
  })`

export class FullBacklog implements AsyncDisposable {
  readonly port: number
  readonly #worker: Worker
  readonly #gate: Int32Array
  readonly #peers: readonly Peer[]

  static async start(): Promise<FullBacklog> {
    const gate = new Int32Array(new SharedArrayBuffer(4))
    const worker = new Worker(source, { eval: true, workerData: gate.buffer })
    const port = await new Promise<number>((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
    })
    // The kernel completes one connection more than the backlog says; further attempts it leaves without an answer.
    const peers = [await connectTo(port), await connectTo(port)]
    return new FullBacklog(port, worker, gate, peers)
  }

  private constructor(port: number, worker: Worker, gate: Int32Array, peers: readonly Peer[]) {
    this.port = port
    this.#worker = worker
    this.#gate = gate
    this.#peers = peers
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.#peers) await peer[Symbol.asyncDispose]()
    const exit = new Promise(resolve => this.#worker.once('exit', resolve))
    Atomics.store(this.#gate, 0, 1)
    Atomics.notify(this.#gate, 0)
    await exit
  }
}
