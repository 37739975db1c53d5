// Removes what programs of others have made.

import { chmod, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

/** Some tools (Go's) take the right to write away from what they leave. */
export async function removeTree(directory: string): Promise<void> {
  try {
    await rm(directory, { recursive: true, force: true, maxRetries: 3 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error
    await makeWritable(directory)
    await rm(directory, { recursive: true, force: true, maxRetries: 3 })
  }
}

async function makeWritable(directory: string): Promise<void> {
  await chmod(directory, 0o700).catch(() => {})
  for (const entry of await readdir(directory, { withFileTypes: true }).catch(() => []))
    if (entry.isDirectory()) await makeWritable(join(directory, entry.name))
}
