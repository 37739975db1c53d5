// The native encoders of `node:zlib`, driven octets in, octets out, within one call. Its streams do the same on the
// thread pool: there a response of 2 kB costs 60 to 150 µs instead of 7 to 30, and what it yields comes later, in
// between other things (bench/micro/coding.ts). So this calls `writeSync` of the handle that each of the streams holds,
// which the synchronous functions of the same module use as well, and which minizlib and with it npm rely on. The names
// are looked for once; on a Node that has renamed them there are no engines, and responses cross uncompressed.

import {
  type BrotliCompress,
  constants,
  createBrotliCompress,
  createGzip,
  createZstdCompress,
  type Gzip,
  type ZstdCompress,
} from 'node:zlib'
import type { Coding } from './accept.ts'

interface Handle {
  writeSync(
    operation: number,
    input: Uint8Array,
    inputAt: number,
    inputLength: number,
    output: Uint8Array,
    outputAt: number,
    outputLength: number,
  ): void
  reset(): void
}

interface Internals {
  readonly _handle?: Handle | null
  /** What the last call left: room in the output, octets of the input. */
  readonly _writeState?: Uint32Array
}

type Stream = BrotliCompress | Gzip | ZstdCompress

/** What a call is to do with what it has taken in: hold it for more, let all of it out, or end. */
export type Operation = 'hold' | 'flush' | 'finish'

const operations: Readonly<Record<Coding, Readonly<Record<Operation, number>>>> = {
  gzip: { hold: constants.Z_NO_FLUSH, flush: constants.Z_SYNC_FLUSH, finish: constants.Z_FINISH },
  br: {
    hold: constants.BROTLI_OPERATION_PROCESS,
    flush: constants.BROTLI_OPERATION_FLUSH,
    finish: constants.BROTLI_OPERATION_FINISH,
  },
  zstd: { hold: constants.ZSTD_e_continue, flush: constants.ZSTD_e_flush, finish: constants.ZSTD_e_end },
}

/** Engines of one coding that wait for their next use. */
const maxIdle = 16
/** For the streams' own output buffers, which we do not use: the least that they accept. */
const chunkSize = 64

const idle: Readonly<Record<Coding, Engine[]>> = { gzip: [], br: [], zstd: [] }

/** Whether this Node has what engines need. */
export const enginesAvailable = ((): boolean => {
  const stream = createGzip({ chunkSize })
  const { _handle: handle, _writeState: state } = stream as unknown as Internals
  stream.destroy()
  return typeof handle?.writeSync === 'function' && typeof handle.reset === 'function' && state instanceof Uint32Array
})()

export class Engine {
  /** Octets of the input that the last step did not take. */
  remaining = 0
  readonly coding: Coding
  readonly level: number
  readonly #stream: Stream
  readonly #handle: Handle
  readonly #state: Uint32Array
  readonly #operations: Readonly<Record<Operation, number>>
  #finished = false

  constructor(coding: Coding, level: number) {
    this.coding = coding
    this.level = level
    this.#operations = operations[coding]
    this.#stream = createStream(coding, level)
    // It tells of a failure by destroying itself, which `step` sees; the event comes later and says nothing more.
    this.#stream.on('error', () => {})
    const { _handle: handle, _writeState: state } = this.#stream as unknown as Internals
    this.#handle = handle!
    this.#state = state!
  }

  /** One for a body of its own, used before if there is one. `enginesAvailable` must hold. */
  static take(coding: Coding, level: number): Engine {
    for (;;) {
      const engine = idle[coding].pop()
      if (engine === undefined) return new Engine(coding, level)
      if (engine.level === level) return engine
      // The settings have changed.
      engine.#stream.destroy()
    }
  }

  /** For the next body, or its memory for others; nobody may use it any more. */
  release(): void {
    const { coding } = this
    if (this.#stream.destroyed) return
    if (idle[coding].length < maxIdle && this.#renewed()) idle[coding].push(this)
    else this.#stream.destroy()
  }

  /** Whether it is as it was when it was made. */
  #renewed(): boolean {
    switch (this.coding) {
      case 'gzip':
        this.#handle.reset()
        break
      case 'zstd':
        // `reset` would forget the parameters; behind the end of a frame the next one begins by itself.
        if (!this.#finished) return false
        break
      case 'br':
        // Its `reset` makes a new one, without the parameters.
        return false
    }
    this.#finished = false
    return !this.#stream.destroyed
  }

  /**
   * Encodes octets of `[start, start + length)`. Returns how many octets it wrote to `output`, from its beginning; when
   * that is all of it, or `remaining` is not 0, there is more to come: call again with what remains. -1: it failed, and
   * only `release` may be called.
   */
  step(operation: Operation, input: Uint8Array, start: number, length: number, output: Uint8Array): number {
    // Native code ends the process when these do not fit.
    if (start < 0 || length < 0 || start + length > input.length) throw new RangeError('not within the buffer')
    this.#handle.writeSync(this.#operations[operation], input, start, length, output, 0, output.length)
    if (this.#stream.destroyed) return -1
    const [room, remaining] = this.#state as unknown as readonly [number, number]
    const written = output.length - room
    if (written === 0 && remaining > 0 && remaining === length) return -1
    this.remaining = remaining
    this.#finished = operation === 'finish' && room > 0
    return written
  }
}

/** Windows and tables are kept small, for thousands of clients may stream at once: see `engineOctets`. */
function createStream(coding: Coding, level: number): Stream {
  switch (coding) {
    case 'gzip':
      return createGzip({ level, chunkSize })
    case 'br':
      return createBrotliCompress({
        chunkSize,
        params: {
          [constants.BROTLI_PARAM_QUALITY]: level,
          // Above 4 the larger window makes tables of 2 to 33 MB; with this one they stay below 2.2.
          [constants.BROTLI_PARAM_LGWIN]: level <= 4 ? 18 : 16,
        },
      })
    case 'zstd':
      return createZstdCompress({
        chunkSize,
        params: {
          [constants.ZSTD_c_compressionLevel]: level,
          [constants.ZSTD_c_windowLog]: 18,
          // The levels' own tables take up to 80 MB.
          [constants.ZSTD_c_hashLog]: 15,
          [constants.ZSTD_c_chainLog]: 15,
        },
      })
  }
}

/** Native memory of an engine in the middle of a long body, in octets, as measured on Linux. */
export function engineOctets(coding: Coding, level: number): number {
  switch (coding) {
    case 'gzip':
      return 272 * 1024
    case 'br':
      if (level <= 4) return 1056 * 1024
      return (level <= 8 ? 860 : level === 9 ? 1600 : 2200) * 1024
    case 'zstd':
      return (level <= 12 ? 760 : 1600) * 1024
  }
}
