// An answer that does not end: the last lines, then each line as it comes. A reader that is too slow is told how many lines it did not
// get, and one that does not take what waits for it is cut off.

import type { ServerResponse } from 'node:http'
import type { Follower } from '../followers.ts'
import { type LogLine, type LogSource, textOfLine } from '../line.ts'

/** Octets that wait for a reader; what comes while there are more is left out. */
const maxWaiting = 256 * 1024
/** How long what waits for a reader may do so, milliseconds: as long as other answers, whose memory is bounded by it. */
const patience = 60_000

export class FollowingAnswer implements Follower {
  readonly sources: readonly LogSource[]
  readonly #response: ServerResponse
  readonly #onLeftOut: (lines: number) => void
  /** Lines that came before the older ones were written; null: they have been. */
  #early: string[] | null = []
  #earlyOctets = 0
  #leftOut = 0
  #timer: NodeJS.Timeout | null = null
  #ended = false

  constructor(response: ServerResponse, sources: readonly LogSource[], onLeftOut: (lines: number) => void) {
    this.sources = sources
    this.#response = response
    this.#onLeftOut = onLeftOut
    response.on('drain', () => this.#drained())
    response.once('close', () => {
      if (this.#timer !== null) clearTimeout(this.#timer)
      this.#timer = null
    })
  }

  line(line: LogLine): void {
    if (this.#response.destroyed || this.#ended) return
    const text = `${textOfLine(line)}\n`
    if (this.#early !== null) {
      if (this.#earlyOctets + text.length > maxWaiting) this.#leaveOut()
      else {
        this.#early.push(text)
        this.#earlyOctets += text.length
      }
    } else if (this.#response.writableLength + text.length > maxWaiting) this.#leaveOut()
    else this.#write(text)
  }

  /** The lines of before; from now on they pass as they come. */
  begin(older: string): void {
    const text = older + this.#early!.join('')
    this.#early = null
    // The head goes at once, whether there are lines or not.
    this.#response.flushHeaders()
    if (text !== '') this.#write(text)
    if (this.#ended) this.#finish()
  }

  end(): void {
    this.#ended = true
    if (this.#early === null) this.#finish()
  }

  #finish(): void {
    this.#sayLeftOut()
    this.#response.end()
    this.#watch()
  }

  #write(text: string): void {
    this.#sayLeftOut()
    if (!this.#response.write(text)) this.#watch()
  }

  #sayLeftOut(): void {
    if (this.#leftOut === 0) return
    const lines = this.#leftOut
    this.#leftOut = 0
    this.#response.write(`-- ${lines} lines left out, as they were not read in time --\n`)
  }

  #leaveOut(): void {
    this.#leftOut++
    this.#onLeftOut(1)
  }

  /** Something waits for the reader. */
  #watch(): void {
    if (this.#response.destroyed) return
    this.#timer ??= setTimeout(() => this.#response.destroy(), patience).unref()
  }

  #drained(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    // Now, as perhaps no line follows for hours.
    if (!this.#response.writableEnded) this.#sayLeftOut()
  }
}
