// The kubelet's log files: one record a line, `TIME stdout|stderr TAGS TEXT` (the CRI logging format). A line that a
// container writes is one record with the tag `F`, or several with `P` before it when it is long.

export type Stream = 'stdout' | 'stderr'

export interface CriRecord {
  /** Milliseconds since 1970. */
  readonly time: number
  readonly stream: Stream
  /** The line goes on in the next record of the same stream. */
  readonly isPartial: boolean
  readonly text: Buffer
}

const blank = 0x20
const colon = 0x3a
const partialTag = 0x50
const fullTag = 0x46
const carriageReturn = 0x0d

/** Longest time that is looked for: `2026-11-29T04:34:45.123456789+00:00`, and a few. */
const longestTime = 40

/** `line`: without its end; the text is a part of it, not a copy. Null: this is no record. */
export function parseRecord(line: Buffer): CriRecord | null {
  const timeEnd = line.subarray(0, longestTime).indexOf(blank)
  if (timeEnd < 0) return null
  const streamEnd = line.subarray(0, timeEnd + 8).indexOf(blank, timeEnd + 1)
  if (streamEnd < 0) return null
  const stream = line.toString('latin1', timeEnd + 1, streamEnd)
  if (stream !== 'stdout' && stream !== 'stderr') return null
  const tag = line[streamEnd + 1]
  if (tag !== fullTag && tag !== partialTag) return null
  // Tags to come stand behind the first, with colons between.
  const tagEnd = line[streamEnd + 2] === colon ? line.indexOf(blank, streamEnd + 2) : streamEnd + 2
  if (tagEnd < 0 || (tagEnd < line.length && line[tagEnd] !== blank)) return null
  const time = Date.parse(line.toString('latin1', 0, timeEnd))
  if (Number.isNaN(time)) return null
  const isPartial = tag === partialTag
  const last = line.length - 1
  const end = !isPartial && last > tagEnd && line[last] === carriageReturn ? last : line.length
  return { time, stream, isPartial, text: line.subarray(tagEnd + 1, end) }
}
