// Records of one container → lines. The pieces of a long line are kept until its end, up to what the logger takes as one
// line: a longer one is handed on in several.

import { wholeCharacters } from '#kit/children/lines.ts'
import { maxText } from '../line.ts'
import type { CriRecord, Stream } from './cri-record.ts'

export type HearLine = (time: number, text: string) => void

interface Pending<Place> {
  /** When the line began, milliseconds since 1970. */
  readonly time: number
  /** The first record that is not wholly handed on. */
  from: Place
  octets: Buffer
}

/** `Place`: where a record is, for whoever must not go on behind one that is not handed on yet. */
export class RecordJoiner<Place> {
  readonly #pending = new Map<Stream, Pending<Place>>()

  /** Hands a line on when this record is the end of one, or makes it too long. */
  push({ stream, time, text, isPartial }: CriRecord, from: Place, hear: HearLine): void {
    let pending = this.#pending.get(stream)
    if (pending === undefined) {
      if (!isPartial && text.length <= maxText) {
        hear(time, text.toString('utf8'))
        return
      }
      // A copy: the buffer that the text is a part of is read into again.
      pending = { time, from, octets: Buffer.from(text) }
      this.#pending.set(stream, pending)
    } else pending.octets = Buffer.concat([pending.octets, text])
    while (pending.octets.length > maxText) {
      const end = wholeCharacters(pending.octets, maxText)
      hear(pending.time, pending.octets.toString('utf8', 0, end))
      pending.octets = pending.octets.subarray(end)
      pending.from = from
    }
    if (isPartial) return
    this.#pending.delete(stream)
    hear(pending.time, pending.octets.toString('utf8'))
  }

  /** What is kept, as lines: nothing more comes. */
  flush(hear: HearLine): void {
    for (const { time, octets } of this.#pending.values()) hear(time, octets.toString('utf8'))
    this.#pending.clear()
  }

  /** Where records are that are not handed on yet. */
  *places(): Generator<Place> {
    for (const { from } of this.#pending.values()) yield from
  }

  clear(): void {
    this.#pending.clear()
  }
}
