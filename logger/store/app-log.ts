// What is kept of one app: a log for each source, so that none pushes out lines of another.

import { join } from 'node:path'
import type { LogSource } from '../line.ts'
import type { Files } from './files.ts'
import { directoryName } from './record.ts'
import { type Segment, type SegmentBounds, SourceLog } from './source-log.ts'

/** What each source may have of an app's space. */
const shares = { app: 0.5, router: 0.375, controller: 0.125 } as const satisfies Record<LogSource, number>

/** How many segments a source that is full consists of: with each that goes it loses so much. */
const segmentsOfFull = 8
/** Octets; smaller ones would be a file for a few lines. */
const leastSegment = 16 * 1024

export class AppLog {
  readonly app: string
  readonly directory: string
  readonly #files: Files
  readonly #sources = new Map<LogSource, SourceLog>()
  /** When the last line came, milliseconds since 1970. */
  lastWritten: number
  /** Being removed: takes nothing any more. */
  removed = false
  /** Under way; null after one that failed, too. */
  removal: Promise<void> | null = null

  constructor(app: string, root: string, files: Files, lastWritten: number) {
    this.app = app
    this.directory = join(root, directoryName(app))
    this.#files = files
    this.lastWritten = lastWritten
  }

  get sources(): Iterable<SourceLog> {
    return this.#sources.values()
  }

  /** Octets on disk. */
  get size(): number {
    let size = 0
    for (const source of this.#sources.values()) size += source.size
    return size
  }

  find(source: LogSource): SourceLog | null {
    return this.#sources.get(source) ?? null
  }

  /** Makes it when there is none. `segments`: what is on disk, oldest first. */
  of(source: LogSource, segments: Segment[] = []): SourceLog {
    let log = this.#sources.get(source)
    if (log === undefined) {
      log = new SourceLog(source, this.directory, this.#files, segments)
      this.#sources.set(source, log)
    }
    return log
  }

  /** The source that takes the most space. */
  largest(): SourceLog | null {
    let largest: SourceLog | null = null
    for (const source of this.#sources.values()) if (largest === null || source.size > largest.size) largest = source
    return largest
  }
}

/** `appSize`: octets of an app; `fair`: what an app has if all share alike. */
export function boundsOf(source: LogSource, appSize: number, fair: number): SegmentBounds {
  const most = Math.floor(appSize * shares[source])
  // With many apps the total bound decides: then the last segment of an app must not be all that it has.
  const segment = Math.min(most, fair * shares[source]) / segmentsOfFull
  return { most, segment: Math.min(most, Math.max(leastSegment, Math.floor(segment))) }
}
