// One `npm start` for a data directory: a second one would write its own endpoints over those of the first.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { exitCode, StartupError } from '#kit/exit.ts'

/** Claims the directory for this process until disposed. Throws StartupError 69 while another process has it. */
export function claimData(directory: string): Disposable {
  mkdirSync(directory, { recursive: true })
  const file = join(directory, 'npm-start.pid')
  const owner = ownerOf(file)
  if (owner !== null) {
    throw new StartupError(
      exitCode.unavailable,
      `process ${owner} uses ${directory} already; pass --data for another one`,
    )
  }
  rmSync(file, { force: true })
  writeFileSync(file, `${process.pid}\n`, { flag: 'wx' })
  return {
    [Symbol.dispose]() {
      rmSync(file, { force: true })
    },
  }
}

/** The live process that the file names; null: none. */
function ownerOf(file: string): number | null {
  try {
    const pid = Number(readFileSync(file, 'utf8'))
    if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return null
    process.kill(pid, 0)
    return pid
  } catch (error) {
    // Somebody else's process is a process too.
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? Number(readFileSync(file, 'utf8')) : null
  }
}
