// How much a build may keep on disk. There is no quota for a directory that every file system has, so it is looked now and
// then at what is there; a large tree is looked at less often, so that looking costs a tenth of the time at most.

import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

export interface DiskLimit {
  /** Bytes. */
  readonly bytes: number
  readonly files: number
}

export interface DiskUse {
  readonly bytes: number
  readonly files: number
}

/** Stops as soon as it is more than `limit`. What goes away meanwhile is not there. */
export async function diskUse(directories: readonly string[], limit: DiskLimit): Promise<DiskUse> {
  let bytes = 0
  let files = 0
  const waiting = [...directories]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const entries = await readdir(next, { withFileTypes: true }).catch(() => [])
    for (const entry of entries) {
      files++
      const path = join(next, entry.name)
      if (entry.isDirectory()) waiting.push(path)
      else {
        const status = await lstat(path).catch(() => null)
        // What is allocated: a hole takes nothing. A file with several names counts once for each, as a share.
        bytes += status === null ? 0 : (status.blocks * 512) / status.nlink
      }
      if (bytes > limit.bytes || files > limit.files) return { bytes, files }
    }
  }
  return { bytes, files }
}

/** Calls `onExceeded` once when there is more than `limit` below the directories. Until disposed. */
export function watchDisk(
  directories: readonly string[],
  limit: DiskLimit,
  interval: number,
  onExceeded: (use: DiskUse) => void,
): Disposable {
  const over = new AbortController()
  const watch = async (): Promise<void> => {
    let pause = interval
    while (!over.signal.aborted) {
      await delay(pause, undefined, { signal: over.signal, ref: false }).catch(() => {})
      if (over.signal.aborted) return
      const began = performance.now()
      const use = await diskUse(directories, limit)
      if (over.signal.aborted) return
      if (use.bytes > limit.bytes || use.files > limit.files) {
        onExceeded(use)
        return
      }
      pause = Math.max(interval, 10 * (performance.now() - began))
    }
  }
  void watch()
  return { [Symbol.dispose]: () => over.abort() }
}
