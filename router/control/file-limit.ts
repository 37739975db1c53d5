// How many connections the process can have, by its limit of file descriptors.

import { readFileSync } from 'node:fs'

/** For listeners, logs, watches and what else is no client's; never more than half of all. */
const reserve = 256
/** Whatever the limit is, a router that takes nobody is of no use. */
const least = 16

/** The limit in force (Node raises it to the highest allowed at its start); Infinity where the system does not say. */
export function fileLimit(read: () => string = () => readFileSync('/proc/self/limits', 'latin1')): number {
  try {
    const limit = Number(/^Max open files +(\d+)/m.exec(read())?.[1])
    return Number.isNaN(limit) ? Infinity : limit
  } catch {
    return Infinity
  }
}

/**
 * Connections of clients that each of `threads` may have: each takes a descriptor, and its request another one. Beyond
 * the limit the kernel's connections would be closed unseen: Node does not tell of those that it cannot accept on Linux.
 */
export function capacityOf(files: number, threads: number): number {
  return Math.max(least, Math.floor((files - Math.min(reserve, files / 2)) / threads / 2))
}
