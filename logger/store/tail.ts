// The last lines of a log, read from its end: blocks of files backwards, as far as is needed. What is no whole line is left out: the
// torn end of a file, and whatever a file system leaves behind after a power cut.

import { open } from 'node:fs/promises'
import type { LogLine, LogSource } from '../line.ts'
import { parseRecord, recordOf } from './record.ts'
import type { Snapshot } from './source-log.ts'

export interface TailBounds {
  readonly lines: number
  /** Octets of all records together: the newest that are within. */
  readonly octets: number
}

const lineFeed = 0x0a
const blockSize = 64 * 1024
/** Octets without a line end that are looked at: longer than any record. */
const longest = 64 * 1024

/** In the order in which they were written. */
export async function tailOf(
  snapshot: Snapshot,
  app: string,
  source: LogSource,
  bounds: TailBounds,
): Promise<LogLine[]> {
  const newestFirst: LogLine[] = []
  let octets = 0
  const take: Take = (record, length) => {
    octets += length
    if (newestFirst.length >= bounds.lines || octets > bounds.octets) return false
    const line = parseRecord(record, app, source)
    if (line !== null) newestFirst.push(line)
    return true
  }
  const { records, segments } = snapshot
  let more = true
  for (let i = records.length - 1; i >= 0 && more; i--)
    more = take(records[i]!.slice(0, -1), Buffer.byteLength(records[i]!))
  for (let i = segments.length - 1; i >= 0 && more && newestFirst.length < bounds.lines; i--)
    more = await readBackwards(segments[i]!.path, segments[i]!.size, take)
  return newestFirst.reverse()
}

/** `record` is without its line end, `octets` with it. False: it was enough. */
type Take = (record: string, octets: number) => boolean

async function readBackwards(path: string, size: number, take: Take): Promise<boolean> {
  // Removed since the snapshot was taken, as the oldest is, or by somebody else.
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  if (file === null) return true
  try {
    /** What has been read of a line that begins further up; without the line end after it. */
    let rest: Buffer = Buffer.alloc(0)
    /** Whether a line end has been seen: what stands after the last one is torn. */
    let whole = false
    for (let position = size; position > 0; ) {
      const from = Math.max(0, position - blockSize)
      const block = Buffer.allocUnsafe(position - from)
      const { bytesRead } = await file.read(block, 0, block.length, from)
      position = from
      const octets = Buffer.concat([block.subarray(0, bytesRead), rest])
      let end: number = whole ? octets.length : octets.lastIndexOf(lineFeed)
      whole ||= end >= 0
      while (whole && end > 0) {
        const begin = octets.lastIndexOf(lineFeed, end - 1)
        if (begin < 0) break
        if (!take(octets.toString('utf8', begin + 1, end), end - begin)) return false
        end = begin
      }
      rest = whole ? octets.subarray(0, end) : octets
      if (rest.length > longest) rest = Buffer.alloc(0)
    }
    return !whole || take(rest.toString(), rest.length + 1)
  } finally {
    await file.close()
  }
}

/**
 * The last lines of several sources in the order of their times, at the same time in the order of the sources; each
 * source's lines keep the order in which they came.
 */
export function mergeByTime(sources: readonly (readonly LogLine[])[], bounds: TailBounds): LogLine[] {
  const left = sources.map(lines => lines.length)
  const newestFirst: LogLine[] = []
  let octets = 0
  while (newestFirst.length < bounds.lines) {
    let latest = -1
    let time = -1
    for (let i = 0; i < sources.length; i++) {
      const line = left[i]! > 0 ? sources[i]![left[i]! - 1]! : null
      if (line !== null && line.time >= time) {
        latest = i
        time = line.time
      }
    }
    if (latest < 0) break
    const line = sources[latest]![--left[latest]!]!
    octets += Buffer.byteLength(recordOf(line))
    if (octets > bounds.octets) break
    newestFirst.push(line)
  }
  return newestFirst.reverse()
}
