// A lock between processes that the kernel lets go when its holder dies, so that none is ever left behind.

import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** Runs `critical` while no other process holds the lock `file`, which is made if it is missing; waits for it. */
export async function withLock<T>(file: string, critical: () => Promise<T>): Promise<T> {
  // flock(1) holds the lock for as long as its command runs; `cat` runs until we close its input, or die.
  const holder = spawn('flock', [file, 'sh', '-c', 'echo held; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(holder, 'close')
  holder.stdin.on('error', () => {})
  const held = await Promise.race([once(holder.stdout, 'data').then(() => true), ended.then(() => false)])
  if (!held) throw new Error(`cannot lock ${file}`)
  try {
    return await critical()
  } finally {
    holder.stdin.end()
    await ended
  }
}
