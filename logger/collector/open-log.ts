// Opens a log file, and nothing else: a pod that may write below the kubelet's directory could put a link there, and have
// any file of the node read to it.

import { type BigIntStats, constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'

export interface OpenedLog {
  readonly handle: FileHandle
  readonly size: number
  /** The time that its first record begins with; empty: there is none yet. */
  readonly head: string
}

const longestHead = 40

/** What tells a file from every other: its inode, and as inodes are used again, when it was made. */
export function identityOf({ ino, birthtimeNs }: BigIntStats): string {
  return `${ino}-${birthtimeNs}`
}

/** Null: there is no such file, or another by that name. */
export async function openLog(path: string, identity: string): Promise<OpenedLog | null> {
  let handle: FileHandle
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'ENXIO'].includes(code)) return null
    throw error
  }
  try {
    const stat = await handle.stat({ bigint: true })
    if (stat.isFile() && identityOf(stat) === identity)
      return { handle, size: Number(stat.size), head: await readHead(handle) }
  } catch (error) {
    await handle.close()
    throw error
  }
  await handle.close()
  return null
}

async function readHead(handle: FileHandle): Promise<string> {
  const { bytesRead, buffer } = await handle.read(Buffer.alloc(longestHead), 0, longestHead, 0)
  const end = buffer.subarray(0, bytesRead).indexOf(0x20)
  return end < 0 ? '' : buffer.toString('latin1', 0, end)
}
