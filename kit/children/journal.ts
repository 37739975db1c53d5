// The process groups that we started, on disk: a controller that was killed leaves them running, and the next one ends
// them before it starts its own. An entry is there before the group runs anything of an app's (see child-group.ts).

import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { makeDirectory } from '../make-directory.ts'
import { signalGroup } from './process-group.ts'
import { allProcesses, environmentOf, identityOf, isOfThisBoot } from './procfs.ts'

interface Entry {
  readonly pid: number
  readonly identity: string
  readonly app: string
  readonly name: string
}

/** How often it is looked whether a group is gone, milliseconds: the kernel does not tell. */
const pause = 20

export class Journal {
  readonly #directory: string

  constructor(directory: string) {
    makeDirectory(directory, 0o700)
    this.#directory = directory
  }

  /** Throws when it cannot be written: what is not in here must not run. */
  add(pid: number, app: string, name: string): void {
    const entry: Entry = { pid, identity: identityOf(pid) ?? '', app, name }
    writeFileSync(this.#file(pid), JSON.stringify(entry), { mode: 0o600 })
  }

  remove(pid: number): void {
    rmSync(this.#file(pid), { force: true })
  }

  /**
   * Ends the groups of a former run: SIGTERM, and SIGKILL after `grace` milliseconds. Returns the names of their
   * processes. A process that merely has the id of one of ours is left alone.
   */
  async clear(grace: number): Promise<readonly string[]> {
    const left = this.#alive()
    for (const { pid } of left) signalGroup(pid, 'SIGTERM')
    const end = performance.now() + grace
    while (left.some(isOurs) && performance.now() < end) await delay(pause)
    for (const entry of left) if (isOurs(entry)) signalGroup(entry.pid, 'SIGKILL')
    // What is killed is gone at once but for its last page; who waits for a broken disk longer is not waited for.
    const killed = performance.now() + 2_000
    while (left.some(isOurs) && performance.now() < killed) await delay(pause)
    for (const name of readdirSync(this.#directory)) rmSync(join(this.#directory, name), { force: true })
    return left.map(({ name }) => name)
  }

  /** Ends all groups at once, for who is about to end himself and can wait for nothing. */
  kill(): void {
    for (const { pid } of this.#alive()) signalGroup(pid, 'SIGKILL')
  }

  #alive(): readonly Entry[] {
    return readdirSync(this.#directory)
      .flatMap(name => readEntry(join(this.#directory, name)) ?? [])
      .filter(isOurs)
  }

  #file(pid: number): string {
    return join(this.#directory, `${pid}.json`)
  }
}

/** Null: it was never written to its end, and so its group never ran anything. */
function readEntry(file: string): Entry | null {
  try {
    const entry = JSON.parse(readFileSync(file, 'utf8')) as Entry
    // Signals to groups 0 and 1 would reach ourselves, or everybody.
    return Number.isInteger(entry.pid) && entry.pid > 1 && entry.identity !== '' ? entry : null
  } catch {
    return null
  }
}

function isOurs({ pid, identity, app }: Entry): boolean {
  const present = identityOf(pid)
  if (present !== null) return present === identity
  // Its leader is gone. The id is not given away as long as somebody is in the group; whether it ever was is told by
  // what its members were started with.
  if (!isOfThisBoot(identity)) return false
  const members = allProcesses().filter(({ group, session, isZombie }) => group === pid && session === pid && !isZombie)
  return members.length > 0 && members.every(member => environmentOf(member.pid).includes(`DEIS_APP=${app}`))
}
