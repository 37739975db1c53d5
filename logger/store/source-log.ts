// What one source has written of one app: segments on disk, of which the last is appended to, and lines in memory that wait for the
// next flush. Segments that are full are never written again; the oldest is removed as a whole.

import { type FileHandle, mkdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { LogSource } from '../line.ts'
import type { Files } from './files.ts'
import { segmentName } from './record.ts'

export interface Segment {
  readonly number: number
  readonly path: string
  /** Octets of whole lines; what a file has beyond it is of no write that ended well. */
  size: number
}

/** All lines of one moment. */
export interface Snapshot {
  /** Oldest first. */
  readonly segments: readonly { readonly path: string; readonly size: number }[]
  /** Records that come after them. */
  readonly records: readonly string[]
}

/** What a flush did. */
export interface Flushed {
  readonly octets: number
  /** Lines that the disk did not take. */
  readonly dropped: number
  readonly error: unknown
}

export interface SegmentBounds {
  /** Octets of all segments. */
  readonly most: number
  /** Octets of one; a single line may be longer. */
  readonly segment: number
}

interface Waiting {
  readonly record: string
  readonly octets: number
}

/** The end of a file that is looked at for the last line end: longer than any record. */
const tornMost = 64 * 1024
const lineFeed = 0x0a

export class SourceLog {
  readonly source: LogSource
  readonly #directory: string
  readonly #files: Files
  readonly #segments: Segment[]
  /** Whether the last segment is of an earlier process, which may have died in the middle of a line. */
  #inherited: boolean
  #size: number
  #waiting: Waiting[] = []
  #waitingOctets = 0
  /** Taken from `#waiting` by the flush that runs. */
  #writing: readonly Waiting[] = []

  /** `segments`: what is on disk, oldest first. */
  constructor(source: LogSource, directory: string, files: Files, segments: Segment[]) {
    this.source = source
    this.#directory = directory
    this.#files = files
    this.#segments = segments
    this.#inherited = segments.length > 0
    this.#size = segments.reduce((sum, { size }) => sum + size, 0)
  }

  /** Octets on disk. */
  get size(): number {
    return this.#size
  }

  get waitingOctets(): number {
    return this.#waitingOctets
  }

  append(record: string, octets: number): void {
    this.#waiting.push({ record, octets })
    this.#waitingOctets += octets
  }

  snapshot(): Snapshot {
    // Of one that has just begun there may be no file yet.
    const segments = this.#segments.filter(({ size }) => size > 0).map(({ path, size }) => ({ path, size }))
    return { segments, records: [...this.#writing, ...this.#waiting].map(({ record }) => record) }
  }

  /**
   * Writes what waits. Never rejects: what the disk does not take is dropped. To be called one at a time. `touched` hears of
   * each file that was written to, and of the directory of one that was made.
   */
  async flush(bounds: SegmentBounds, touched: (path: string, directory: boolean) => void): Promise<Flushed> {
    this.#writing = this.#waiting
    this.#waiting = []
    this.#waitingOctets = 0
    const done = { octets: 0, dropped: 0, error: null as unknown }
    while (this.#writing.length > 0) {
      let segment = this.#segments.at(-1)
      const first = this.#writing[0]!.octets
      if (segment === undefined || (segment.size > 0 && segment.size + first > bounds.segment)) segment = this.#roll()
      const batch = batchFor(this.#writing, bounds.segment - segment.size)
      const { taken, error } = await this.#write(segment, batch.octets, batch.text, touched)
      const lines = taken.length === batch.octets ? batch.count : countLines(taken)
      done.octets += taken.length
      done.dropped += batch.count - lines
      done.error ??= error
      // Somebody has removed the file.
      if ((error as NodeJS.ErrnoException | null)?.code === 'ENOENT') this.#roll()
      this.#writing = this.#writing.slice(batch.count)
      while (this.#segments.length > 1 && this.#size > bounds.most) await this.removeOldest()
    }
    return done
  }

  /** Removes the oldest segment; the one that is appended to, too, if it is the last. */
  async removeOldest(): Promise<void> {
    if (this.#segments.length === 1) this.#roll()
    const oldest = this.#segments.shift()
    if (oldest === undefined) return
    this.#files.forget(oldest.path)
    this.#size -= oldest.size
    // One that stays is found at the next start, and is then the first to go.
    await unlink(oldest.path).catch(() => {})
  }

  /** Nothing is to be written any more. */
  forgetFiles(): void {
    for (const { path } of this.#segments) this.#files.forget(path)
    this.#waiting = []
    this.#waitingOctets = 0
  }

  /** Returns what the disk took: whole lines, and all of them when there is no error. */
  async #write(
    segment: Segment,
    octets: number,
    text: string,
    touched: (path: string, directory: boolean) => void,
  ): Promise<{ readonly taken: Buffer; readonly error: unknown }> {
    const buffer = Buffer.from(text)
    const create = segment.size === 0
    let written = 0
    let error: unknown = null
    try {
      if (create) await mkdir(this.#directory, { recursive: true, mode: 0o700 })
      await this.#files.use(segment.path, create, async file => {
        if (this.#inherited) await this.#cutTorn(segment, file)
        try {
          while (written < octets) written += (await file.write(buffer, written, octets - written)).bytesWritten
        } catch (cause) {
          written = written === 0 ? 0 : buffer.lastIndexOf(lineFeed, written - 1) + 1
          // Half a line must not become the beginning of the next one; where it cannot be taken away, nothing more is added.
          await file.truncate(segment.size + written).catch(() => this.#roll())
          throw cause
        }
      })
    } catch (cause) {
      error = cause
    }
    segment.size += written
    this.#size += written
    if (written > 0) touched(segment.path, false)
    if (create && written > 0) touched(this.#directory, true)
    return { taken: buffer.subarray(0, written), error }
  }

  /** Cuts the file after its last line end. */
  async #cutTorn(segment: Segment, file: FileHandle): Promise<void> {
    const { size } = segment
    const from = Math.max(0, size - tornMost)
    const end = Buffer.alloc(size - from)
    const read = size === 0 ? 0 : (await file.read(end, 0, end.length, from)).bytesRead
    const whole = from + end.subarray(0, read).lastIndexOf(lineFeed) + 1
    if (whole < size) await file.truncate(whole)
    segment.size = whole
    this.#size -= size - whole
    this.#inherited = false
  }

  #roll(): Segment {
    const last = this.#segments.at(-1)
    if (last !== undefined) this.#files.forget(last.path)
    const number = (last?.number ?? 0) + 1
    const segment = { number, path: join(this.#directory, segmentName(this.source, number)), size: 0 }
    this.#segments.push(segment)
    this.#inherited = false
    return segment
  }
}

/** As many as there is room for, and one at least. */
function batchFor(waiting: readonly Waiting[], room: number): { count: number; octets: number; text: string } {
  let count = 0
  let octets = 0
  let text = ''
  for (const one of waiting) {
    if (count > 0 && octets + one.octets > room) break
    text += one.record
    octets += one.octets
    count++
  }
  return { count, octets, text }
}

function countLines(octets: Buffer): number {
  let lines = 0
  for (let at = octets.indexOf(lineFeed); at >= 0; at = octets.indexOf(lineFeed, at + 1)) lines++
  return lines
}
