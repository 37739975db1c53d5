// Compresses one body as it comes. What is fed comes out within the same call and in order, so that an exchange needs no
// queue; memory, and how long the thread is kept from others, are bounded.

import type { Coding } from './accept.ts'
import { giveEncoderMemory, takeEncoderMemory } from './encoder-budget.ts'
import { Engine, engineOctets, enginesAvailable, type Operation } from './engine.ts'

/** Who uses an encoder. None of these is called after `destroy`, nor after the last octets. */
export interface EncoderSink {
  /**
   * Octets of the coded body, in order; never none of them but with `last`. Valid during the call only, in which
   * `destroy` may be called. Comes within `write` or `end`, and once between events for octets that had been held.
   * `last`: the body is complete, the encoder is gone.
   */
  onEncoded(buffer: Buffer, start: number, end: number, last: boolean): void
  /** After `write` returned false: it may be fed again. */
  onEncoderReady(): void
  /** It failed, for want of memory, and is gone: the body cannot be completed. Comes within `write` or `end`. */
  onEncoderError(): void
}

/**
 * Octets that one body may bring in one turn of the event loop. A fast endpoint is read up to 32 times in a turn: without
 * this bound the others would wait for tens of milliseconds.
 */
const turnOctets: Readonly<Record<Coding, number>> = { gzip: 64 * 1024, br: 64 * 1024, zstd: 256 * 1024 }

/** Shared by all encoders of the thread: what a step wrote is used up before the next step. */
const output = Buffer.allocUnsafeSlow(64 * 1024)
const nothing = Buffer.alloc(0)

export class Encoder {
  readonly #coding: Coding
  readonly #octets: number
  readonly #slot: number
  readonly #place: number
  readonly #sink: EncoderSink
  /** Null: it is gone. */
  #engine: Engine | null
  /** Octets that came in this turn. */
  #fed = 0
  #resting = false
  /** The engine holds octets back. */
  #holding = false
  /** They have been held since this turn. */
  #fresh = false
  #queued = false

  /** `octets` have been taken for it. */
  private constructor(coding: Coding, octets: number, level: number, slot: number, place: number, sink: EncoderSink) {
    this.#coding = coding
    this.#octets = octets
    this.#slot = slot
    this.#place = place
    this.#sink = sink
    this.#engine = Engine.take(coding, level)
  }

  /**
   * An encoder for one body of the app with this row of the counters (`slot`) for the client at this `place` (`clientPlace`);
   * null: there is no memory for one, send the body as it is.
   */
  static acquire(coding: Coding, level: number, slot: number, place: number, sink: EncoderSink): Encoder | null {
    if (!enginesAvailable) return null
    const octets = engineOctets(coding, level)
    if (!takeEncoderMemory(slot, place, octets)) return null
    try {
      return new Encoder(coding, octets, level, slot, place, sink)
    } catch {
      // Native memory was refused.
      giveEncoderMemory(slot, place, octets)
      return null
    }
  }

  /**
   * Feeds octets of the body. `more`: others are probably at hand (the read filled its buffer), so these may be held for
   * better compression, until the turn after next at most; else all of them come out at once. False: feed no more until
   * `onEncoderReady`; feeding it all the same is allowed, and costs others their time.
   */
  write(buffer: Buffer, start: number, end: number, more: boolean): boolean {
    if (end === start) return !this.#resting
    this.#run(more ? 'hold' : 'flush', buffer, start, end)
    if (this.#engine === null || !more) return true
    this.#holding = true
    this.#fresh = true
    this.#fed += end - start
    if (this.#fed >= turnOctets[this.#coding]) this.#resting = true
    this.#queue()
    return !this.#resting
  }

  /** Feeds the last octets, if any, and ends the body. */
  end(buffer: Buffer = nothing, start = 0, end = buffer.length): void {
    this.#run('finish', buffer, start, end)
  }

  /** Gives it up; frees its memory at once. May be called at any time, also again. */
  destroy(): void {
    const engine = this.#engine
    if (engine === null) return
    this.#engine = null
    giveEncoderMemory(this.#slot, this.#place, this.#octets)
    engine.release()
  }

  #run(operation: Operation, buffer: Buffer, start: number, end: number): void {
    const engine = this.#engine
    if (engine === null) return
    this.#holding = false
    let at = start
    for (;;) {
      const written = engine.step(operation, buffer, at, end - at, output)
      if (written < 0) {
        this.destroy()
        this.#sink.onEncoderError()
        return
      }
      at = end - engine.remaining
      const complete = written < output.length && at === end
      const last = complete && operation === 'finish'
      if (last) this.destroy()
      if (written > 0 || last) this.#sink.onEncoded(output, 0, written, last)
      if (complete || this.#engine === null) return
    }
  }

  /** Encoders for which the next turn of the event loop means something. */
  static #waiting: Encoder[] = []

  static #nextTurn(): void {
    const due = Encoder.#waiting
    Encoder.#waiting = []
    for (const encoder of due) encoder.#turn()
  }

  #queue(): void {
    if (this.#queued) return
    this.#queued = true
    if (Encoder.#waiting.length === 0) setImmediate(Encoder.#nextTurn)
    Encoder.#waiting.push(this)
  }

  #turn(): void {
    this.#queued = false
    if (this.#engine === null) return
    this.#fed = 0
    if (this.#fresh) {
      // Whoever feeds it has the coming turn to bring more.
      this.#fresh = false
      this.#queue()
    } else if (this.#holding) this.#run('flush', nothing, 0, 0)
    if (!this.#resting || this.#engine === null) return
    this.#resting = false
    this.#sink.onEncoderReady()
  }
}
