// Objects of a folder in the order of their keys, with memory for some thousands of names however many there are: of a
// directory that is larger, the smallest names come first, and it is read again for the next ones.

import type { Stats } from 'node:fs'
import { lstat, opendir } from 'node:fs/promises'
import { join } from 'node:path'
import type { StoredObject } from '../store.ts'
import { isInside } from './durable.ts'
import { codeOf } from './faults.ts'
import { nameOf, partOf } from './paths.ts'

/** Names at a time. A million in one directory are then read sixteen times. */
const defaultBatch = 65_536

/** Files asked for their size at once. */
const statsAtOnce = 32

interface Entry {
  /** Beginning of its keys, or its key: the folder's ends with the slash, which puts it where they belong. */
  readonly key: string
  readonly path: string
}

interface Level {
  /** What all keys in it begin with. */
  readonly folder: string
  readonly path: string
  entries: Entry[]
  /** The next of them. */
  at: number
  /** Nothing is beyond them. */
  complete: boolean
}

/** Those below `root` whose key begins with `prefix` and is greater than `after`. */
export async function* listFiles(
  root: string,
  prefix: string,
  after: string,
  batch = defaultBatch,
): AsyncGenerator<StoredObject> {
  const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
  const path = join(root, ...folder.split('/').map(nameOf))
  if (!(await isInside(path))) return

  const wanted = (key: string): boolean => {
    if (!key.endsWith('/')) return key.startsWith(prefix) && key > after
    return (key.startsWith(prefix) || prefix.startsWith(key)) && (key > after || after.startsWith(key))
  }
  const levels: Level[] = [{ folder, path, entries: [], at: 0, complete: false }]
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    if (level.at === level.entries.length) {
      if (level.complete) levels.pop()
      else await readLevel(level, wanted, batch)
      continue
    }
    const entry = level.entries[level.at]!
    if (entry.key.endsWith('/')) {
      level.at++
      levels.push({ folder: entry.key, path: entry.path, entries: [], at: 0, complete: false })
      continue
    }
    const files: Entry[] = []
    for (let next = level.entries[level.at]; next !== undefined && files.length < statsAtOnce; ) {
      if (next.key.endsWith('/')) break
      files.push(next)
      next = level.entries[++level.at]
    }
    const stats = await Promise.all(files.map(file => statOf(file.path)))
    for (const [index, { key }] of files.entries()) {
      const found = stats[index]!
      if (found?.isFile()) yield { key, size: found.size, modified: found.mtime }
    }
  }
}

/** Fills it with the smallest entries after those that it has. */
async function readLevel(level: Level, wanted: (key: string) => boolean, batch: number): Promise<void> {
  const last = level.entries.at(-1)?.key ?? ''
  let entries: Entry[] = []
  /** What is beyond it belongs to a later batch. */
  let bound: string | null = null
  try {
    for await (const found of await opendir(level.path, { bufferSize: 1024 })) {
      const part = found.isFile() || found.isDirectory() ? partOf(found.name) : null
      if (part === null) continue
      const key = `${level.folder}${part}${found.isDirectory() ? '/' : ''}`
      if (key <= last || (bound !== null && key > bound) || !wanted(key)) continue
      entries.push({ key, path: join(level.path, found.name) })
      if (entries.length < 2 * batch) continue
      entries = entries.sort(byKey).slice(0, batch)
      bound = entries.at(-1)!.key
    }
  } catch (error) {
    // Its last object is deleted by now, or it is an object itself.
    if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTDIR') throw error
  }
  level.complete = bound === null && entries.length <= batch
  level.entries = entries.sort(byKey).slice(0, batch)
  level.at = 0
}

function byKey(one: Entry, other: Entry): number {
  return one.key < other.key ? -1 : 1
}

/** Null: deleted since. */
async function statOf(path: string): Promise<Stats | null> {
  try {
    return await lstat(path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null
    throw error
  }
}
