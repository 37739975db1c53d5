// One process for a folder: two would spoil each other's files.

import { closeSync, constants, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { exitCode, StartupError } from './exit.ts'

/**
 * Locks the file until disposed. Node has no call for a file lock, but SQLite's lock on an empty database is one, which the
 * kernel releases with the process. Throws StartupError 69 while another process has it, or another store of this one.
 */
export function claimFolder(file: string, directory: string): Disposable {
  let database: DatabaseSync | null = null
  try {
    makePrivate(file)
    database = new DatabaseSync(file, { timeout: 0 })
    // Kept when the transaction ends.
    database.exec('pragma locking_mode = exclusive; pragma journal_mode = memory; begin exclusive')
  } catch (error) {
    database?.close()
    const reason = (error as Error).message
    const why = reason.includes('locked')
      ? `another process uses ${directory} already`
      : `${directory} cannot be used: ${reason}`
    throw new StartupError(exitCode.unavailable, why, { cause: error })
  }
  const held = database
  return {
    [Symbol.dispose]() {
      held.close()
    },
  }
}

// A file that is there is not opened: to close it again would release the lock if this process has it.
function makePrivate(file: string): void {
  try {
    closeSync(openSync(file, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}
