// Memory limits of processes. A limit on address space is none for programs that reserve much and use little, so it is
// looked now and then at what a process group really holds. Linux only: elsewhere there is no cheap way to look.

import { allProcesses, hasProcfs, residentBytes } from './procfs.ts'

interface Guarded {
  readonly limit: number
  readonly onExceeded: () => void
}

export class MemoryGuard implements Disposable {
  readonly #interval: number
  /** By the group's id. */
  readonly #groups = new Map<number, Guarded>()
  #timer: NodeJS.Timeout | null = null

  /** Looks every `interval` milliseconds. */
  constructor(interval: number) {
    this.#interval = interval
  }

  /** Calls `onExceeded` once when the group holds more than `limit` bytes. */
  watch(group: number, limit: number, onExceeded: () => void): void {
    if (!hasProcfs) return
    this.#groups.set(group, { limit, onExceeded })
    this.#timer ??= setInterval(() => this.#look(), this.#interval).unref()
  }

  forget(group: number): void {
    this.#groups.delete(group)
    if (this.#groups.size === 0) this[Symbol.dispose]()
  }

  [Symbol.dispose](): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }

  #look(): void {
    const held = new Map<number, number>()
    for (const { pid, group } of allProcesses())
      if (this.#groups.has(group)) held.set(group, (held.get(group) ?? 0) + residentBytes(pid))
    for (const [group, bytes] of held) {
      const guarded = this.#groups.get(group)
      if (guarded === undefined || bytes <= guarded.limit) continue
      this.forget(group)
      guarded.onExceeded()
    }
  }
}
