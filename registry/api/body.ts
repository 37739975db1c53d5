// Bodies of requests as they come, with back-pressure, and answers' bodies as they go. A peer that neither sends nor takes
// anything is cut off, and so is one that does it a drop at a time.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { collectYoungGarbage } from '#kit/collect-garbage.ts'
import type { RegistryError } from '../errors.ts'

/** What each second of waiting must bring in the long run, octets. */
const leastRate = 1024

/**
 * Octets of all bodies between two collections. Each chunk holds memory outside of the heap, of which V8 knows too little to
 * be in a hurry: left to itself it lets 16 MB of it wait, and malloc keeps what that took (bench/registry).
 */
const collectEvery = 2 * 1024 * 1024
let uncollected = 0

function passed(octets: number): void {
  uncollected += octets
  if (uncollected < collectEvery) return
  uncollected = 0
  collectYoungGarbage()
}

/** The peer went away, or was sent away: there is nobody to answer. */
export class PeerError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'PeerError'
  }
}

/** How long we may wait for a peer: `patience`, and more for what it has done already. */
class Waiting {
  readonly #patience: number
  #waited = 0
  #since: number | null = null

  constructor(patience: number) {
    this.#patience = patience
  }

  begin(): void {
    this.#since = performance.now()
  }

  end(octets: number): void {
    if (this.#since !== null) this.#waited += performance.now() - this.#since
    this.#since = null
    this.#waited = Math.max(0, this.#waited - (octets / leastRate) * 1000)
  }

  isOver(): boolean {
    return this.#waited + (this.#since === null ? 0 : performance.now() - this.#since) > this.#patience
  }
}

/** Throws PeerError. `patience`: milliseconds. The request can still be answered when nobody reads to the end. */
export async function* bodyOf(request: IncomingMessage, patience: number): AsyncGenerator<Buffer> {
  const waiting = new Waiting(patience)
  const guard = setInterval(
    () => {
      if (waiting.isOver()) request.destroy(new PeerError('the body came too slowly'))
    },
    Math.min(1000, patience),
  )
  const chunks = request.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]()
  try {
    for (;;) {
      waiting.begin()
      const next = (await chunks.next()) as IteratorResult<Buffer>
      if (next.done) return
      waiting.end(next.value.length)
      passed(next.value.length)
      yield next.value
    }
  } catch (error) {
    throw error instanceof PeerError ? error : new PeerError('the connection broke', { cause: error })
  } finally {
    clearInterval(guard)
    await chunks.return?.()
  }
}

/** A body that is held in memory. Throws `tooLarge`, PeerError. */
export async function wholeBody(
  request: IncomingMessage,
  patience: number,
  limit: number,
  tooLarge: RegistryError,
): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of bodyOf(request, patience)) {
    size += chunk.length
    if (size > limit) throw tooLarge
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** The body of an answer, piece by piece. */
export class OutgoingBody implements Disposable {
  readonly #response: ServerResponse
  readonly #waiting: Waiting
  readonly #guard: NodeJS.Timeout
  #failure: PeerError | null = null

  /** `patience`: milliseconds. */
  constructor(response: ServerResponse, patience: number) {
    this.#response = response
    this.#waiting = new Waiting(patience)
    this.#guard = setInterval(
      () => {
        if (!this.#waiting.isOver()) return
        this.#failure = new PeerError('the answer was taken too slowly')
        response.destroy()
      },
      Math.min(1000, patience),
    )
  }

  /** Resolves when the kernel has it, and the piece's memory may be used for something else. Throws PeerError. */
  async write(piece: Uint8Array): Promise<void> {
    await this.#sent(piece.length, done => this.#response.write(piece, done))
  }

  /** Resolves when the last of it is on its way. Throws PeerError. */
  async end(): Promise<void> {
    await this.#sent(0, done => this.#response.end(done))
  }

  async #sent(octets: number, send: (done: (error?: Error | null) => void) => void): Promise<void> {
    const response = this.#response
    if (response.destroyed) throw this.#broken()
    this.#waiting.begin()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const closed = (): void => reject(this.#broken())
    response.once('close', closed)
    send(error => (error ? reject(this.#broken(error)) : resolve()))
    try {
      await promise
    } finally {
      response.off('close', closed)
      this.#waiting.end(octets)
    }
  }

  #broken(cause?: Error): PeerError {
    return this.#failure ?? new PeerError('the connection broke', { cause })
  }

  [Symbol.dispose](): void {
    clearInterval(this.#guard)
  }
}
