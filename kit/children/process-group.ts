// Process groups: a process that was started as the leader of one, and all that it started.

import { allProcesses, hasProcfs } from './procfs.ts'

/** False: nobody is left in it. */
export function signalGroup(leader: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-leader, signal)
    return true
  } catch (error) {
    // Some of them are another user's by now (EPERM; macOS says so of zombies too).
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Is anybody left in it that can still do something? Zombies that their new parent does not care for are nobody. */
export function isGroupAlive(leader: number): boolean {
  if (!signalGroup(leader, 0)) return false
  return !hasProcfs || allProcesses().some(({ group, isZombie }) => group === leader && !isZombie)
}
