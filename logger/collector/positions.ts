// How far each container was read, in a file of the node: a collector that starts goes on there. It is written aside and
// renamed, so that it is whole whenever one looks.

import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'

const savedShape = z.object({
  /** Of the file: `START.log`. */
  start: z.int().min(0),
  /** Its inode, and when it was made. */
  identity: z.string(),
  /** What its first record begins with: not every file system knows when a file was made. */
  head: z.string(),
  offset: z.int().min(0),
})

export type SavedPosition = Readonly<z.infer<typeof savedShape>>

const stateShape = z.object({ version: z.literal(1), containers: z.record(z.string(), savedShape) })

/** By the container's directory below that of all pods. */
export type SavedPositions = ReadonlyMap<string, SavedPosition>

/** None when there is no file. Throws when there is one that cannot be read. */
export async function readPositions(file: string): Promise<SavedPositions> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map()
    throw error
  }
  return new Map(Object.entries(stateShape.parse(JSON.parse(text)).containers))
}

/** Makes its directory when there is none. */
export async function writePositions(file: string, positions: SavedPositions): Promise<void> {
  const text = JSON.stringify({ version: 1, containers: Object.fromEntries(positions) })
  const aside = `${file}.new`
  try {
    await writeFile(aside, text, { mode: 0o600 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    await mkdir(dirname(file), { recursive: true })
    await writeFile(aside, text, { mode: 0o600 })
  }
  await rename(aside, file)
}
