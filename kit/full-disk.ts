// A disk that is full, as the system and programs of others tell it. Nothing that has begun is lost by it, and what cannot be
// kept now can be once there is room: whoever asked is told so, and not that something is broken.

import { statfs } from 'node:fs/promises'

/** A disk, a quota, a limit on the size of files. */
const codes = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/** The system's words for the first two, and git's. */
const words = ['No space left on device', 'Disk quota exceeded', 'Out of diskspace']

/** Octets: with less, programs fail that do not say why. */
const least = 1024 * 1024

/** Between two lines of a log about it, milliseconds. */
const interval = 60_000

/** Causes that are looked at. */
const deepest = 8

export function isDiskFull(error: unknown): boolean {
  let at = error
  for (let depth = 0; at instanceof Error && depth < deepest; depth++) {
    // `full`: a store's own word (store/store.ts).
    const { code, kind } = at as { readonly code?: unknown; readonly kind?: unknown }
    if (kind === 'full' || (typeof code === 'string' && codes.has(code)) || tellsOfFullDisk(at.message)) return true
    at = at.cause
  }
  return false
}

/** What a program says. */
export function tellsOfFullDisk(text: string): boolean {
  return words.some(word => text.includes(word))
}

/** Whether the disk of the directory is about full now. Never rejects. */
export async function isFull(directory: string): Promise<boolean> {
  try {
    const { bavail, bsize } = await statfs(directory)
    return bavail * bsize < least
  } catch {
    return false
  }
}

/** Something that many requests run into, and that one line of the log a minute is enough for. */
export class Complaint {
  #saidAt = Number.NEGATIVE_INFINITY

  /** Whether it is time for a line; it is taken as written then. */
  isDue(now: number = performance.now()): boolean {
    if (now - this.#saidAt < interval) return false
    this.#saidAt = now
    return true
  }
}
