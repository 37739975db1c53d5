// What the kernel says of processes. Linux tells it in /proc; elsewhere only `ps` is asked, for the one thing that has to
// be known: whether a process is still the one that was started.

import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'

/** False on macOS: memory limits are not enforced there. */
export const hasProcfs = existsSync('/proc/self/stat')

export interface ProcessStat {
  readonly pid: number
  /** Gone but for its exit code. */
  readonly isZombie: boolean
  readonly group: number
  readonly session: number
  /** Clock ticks since the machine started. */
  readonly start: string
}

/** Null: there is no such process, or no /proc. */
export function statOf(pid: number): ProcessStat | null {
  const text = read(`/proc/${pid}/stat`)
  if (text === null) return null
  // The name, in brackets, may hold anything: what follows its last bracket is numbers.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return {
    pid,
    isZombie: fields[0] === 'Z' || fields[0] === 'X',
    group: Number(fields[2]),
    session: Number(fields[3]),
    start: fields[19] ?? '',
  }
}

export function allProcesses(): readonly ProcessStat[] {
  if (!hasProcfs) return []
  return readdirSync('/proc').flatMap(name => (/^\d+$/.test(name) ? (statOf(Number(name)) ?? []) : []))
}

/** Memory that the process holds, shared or not. */
export function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`) ?? '')?.[1]
  return kilobytes === undefined ? 0 : Number(kilobytes) * 1024
}

/** The environment that it was started with, as `NAME=value`. */
export function environmentOf(pid: number): readonly string[] {
  return (read(`/proc/${pid}/environ`) ?? '').split('\0')
}

/** Of the machine's present run: process ids mean nothing after the next start. */
const bootId = read('/proc/sys/kernel/random/boot_id')?.trim() ?? ''

/** Tells a process from every other one that had or will have its id; null: there is none. */
export function identityOf(pid: number): string | null {
  if (hasProcfs) {
    const stat = statOf(pid)
    return stat === null || stat.isZombie ? null : `${bootId} ${stat.start}`
  }
  const { stdout, status } = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' })
  const start = status === 0 ? stdout.trim() : ''
  return start === '' ? null : start
}

/** Was this identity made since the machine started? */
export function isOfThisBoot(identity: string): boolean {
  return !hasProcfs || identity.startsWith(`${bootId} `)
}

function read(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return null
  }
}
