// One process for a state directory: a second one would take the children of the first for left-overs, and end them.

import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { exitCode, StartupError } from '../exit.ts'
import { makeDirectory } from '../make-directory.ts'
import { identityOf } from './procfs.ts'

/** Claims the directory for this process until disposed; `role` names the file. Throws StartupError 69 while a live process has it. */
export function claimState(directory: string, role: string): Disposable {
  makeDirectory(directory, 0o700)
  const file = join(directory, `${role}.pid`)
  const draft = join(directory, `.${role}.${process.pid}`)
  const claim = `${process.pid} ${identityOf(process.pid)}\n`
  writeFileSync(draft, claim, { mode: 0o600 })
  try {
    while (!linked(draft, file)) {
      const text = readFileSync(file, { encoding: 'utf8', flag: 'a+' })
      const owner = ownerOf(text)
      if (owner !== null)
        throw new StartupError(exitCode.unavailable, `process ${owner} uses ${directory} already; choose another one`)
      // Somebody else may find the same dead owner and be quicker: what we take away has to be what we read.
      const aside = join(directory, `.${role}.${process.pid}.dead`)
      renameSync(file, aside)
      if (readFileSync(aside, 'utf8') !== text) linked(aside, file)
      rmSync(aside, { force: true })
    }
  } finally {
    rmSync(draft, { force: true })
  }
  return {
    [Symbol.dispose]() {
      rmSync(file, { force: true })
    },
  }
}

function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** The live process that made the claim; null: it is gone. */
function ownerOf(text: string): number | null {
  const [, pid, identity] = /^(\d+) (.+)\n$/.exec(text) ?? []
  return pid !== undefined && identityOf(Number(pid)) === identity ? Number(pid) : null
}
