// Output of a process → lines for the log. A line may be as long as it likes, and come as fast: it is handed on in pieces,
// and who writes faster than the log takes is made to wait.

import type { Readable } from 'node:stream'

/** Longest line in one piece, bytes. */
export const maxLine = 64 * 1024

/** How much a stream may say in each second before it has to wait, bytes. */
const maxPerSecond = 8 * 1024 * 1024

const newline = 0x0a

/** Hands each line of `stream` on, without its end; the last one too when it has none. */
export function readLines(stream: Readable, hear: (line: string) => void): void {
  const splitter = new LineSplitter(hear)
  let heard = 0
  let since = performance.now()
  let timer: NodeJS.Timeout | null = null
  stream.on('data', (chunk: Buffer) => {
    splitter.push(chunk)
    const now = performance.now()
    if (now - since >= 1_000) {
      since = now
      heard = 0
    }
    heard += chunk.length
    if (heard < maxPerSecond) return
    stream.pause()
    timer = setTimeout(() => stream.resume(), 1_000 - (now - since))
  })
  stream.on('close', () => {
    if (timer !== null) clearTimeout(timer)
    splitter.finish()
  })
}

export class LineSplitter {
  readonly #hear: (line: string) => void
  #rest: Buffer = Buffer.alloc(0)

  constructor(hear: (line: string) => void) {
    this.#hear = hear
  }

  push(chunk: Buffer): void {
    let from = 0
    for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, from)) {
      this.#take(chunk.subarray(from, at))
      this.#end()
      from = at + 1
    }
    this.#take(chunk.subarray(from))
  }

  /** There comes no more. */
  finish(): void {
    if (this.#rest.length > 0) this.#end()
  }

  #take(piece: Buffer): void {
    if (piece.length === 0) return
    // A copy: the stream's buffer must not be kept alive by a few octets of it.
    this.#rest = Buffer.concat([this.#rest, piece])
    while (this.#rest.length > maxLine) {
      const end = wholeCharacters(this.#rest, maxLine)
      this.#hear(this.#rest.toString('utf8', 0, end))
      this.#rest = this.#rest.subarray(end)
    }
  }

  #end(): void {
    const { length } = this.#rest
    const end = this.#rest[length - 1] === 0x0d ? length - 1 : length
    this.#hear(this.#rest.toString('utf8', 0, end))
    this.#rest = Buffer.alloc(0)
  }
}

/** `end`, or the few octets less that leave a character of UTF-8 whole. */
export function wholeCharacters(octets: Buffer, end: number): number {
  let at = end
  while (at > end - 4 && (octets[at]! & 0xc0) === 0x80) at--
  return (octets[at]! & 0xc0) === 0x80 ? end : at
}
