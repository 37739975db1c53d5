// A directory that somebody named, with those above it. Node's own recursive `mkdir` never comes back from a place where the
// system says that the parent is not there although it is, such as /proc: it makes the parent, is told that it is there, and
// tries again (nodejs/node, Node 20 to 26).

import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/** Nothing happens when it is there. Throws what the file system says, about the first that cannot be made. */
export function makeDirectory(path: string, mode: number = 0o777): void {
  if (made(path, mode)) return
  const parent = dirname(path)
  if (parent !== path) makeDirectory(parent, mode)
  // Once more, and what it says now counts.
  mkdirSync(path, { mode })
}

/** False when there is no parent. */
function made(path: string, mode: number): boolean {
  try {
    mkdirSync(path, { mode })
    return true
  } catch (error) {
    if (isDirectory(path)) return true
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}
