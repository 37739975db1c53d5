// CPU time and memory of a process and all its descendants, from /proc (Linux, proc(5)).

import { readdirSync, readFileSync } from 'node:fs'

/** What we read of `/proc/PID/stat`. */
export interface ProcessStat {
  readonly pid: number
  readonly parent: number
  /** User and kernel time of all its threads and of those children that it has waited for, in clock ticks. */
  readonly ticks: number
}

/** Null when the text is not that of `/proc/PID/stat`. */
export function parseProcessStat(text: string): ProcessStat | null {
  // The name stands in parentheses and may itself hold blanks and parentheses: fields count from the last one.
  const open = text.indexOf('(')
  const close = text.lastIndexOf(')')
  if (open < 0 || close < open) return null
  const pid = Number(text.slice(0, open))
  // Field 3 (state) is index 0 here; 4 is the parent, 14 to 17 are utime, stime, cutime and cstime.
  const fields = text
    .slice(close + 1)
    .trim()
    .split(/\s+/)
  const [parent, ...times] = [fields[1], ...fields.slice(11, 15)].map(Number)
  if (!Number.isInteger(pid) || parent === undefined || times.length !== 4) return null
  const ticks = times.reduce((sum, value) => sum + value, 0)
  return Number.isInteger(parent) && Number.isInteger(ticks) ? { pid, parent, ticks } : null
}

/** Resident set size in bytes from the text of `/proc/PID/status`; null when it has none (a zombie, a kernel thread). */
export function parseResidentSize(text: string): number | null {
  const match = /^VmRSS:\s+([0-9]+) kB$/m.exec(text)
  return match === null ? null : Number(match[1]) * 1024
}

/** The most that was ever resident, in bytes, from the same text; null when it has none. */
export function parsePeakSize(text: string): number | null {
  const match = /^VmHWM:\s+([0-9]+) kB$/m.exec(text)
  return match === null ? null : Number(match[1]) * 1024
}

/** `root` and all that descend from it, among `stats`. */
export function descendants(root: number, stats: readonly ProcessStat[]): ProcessStat[] {
  const children = Map.groupBy(stats, stat => stat.parent)
  const found = stats.filter(stat => stat.pid === root)
  for (const stat of found) found.push(...(children.get(stat.pid) ?? []))
  return found
}

/**
 * Clock ticks used so far by each process tree. A child that ends moves its time to the parent that waits for it, so
 * the sum never falls. Zero for a process that is gone.
 */
export function treeTicks(roots: readonly number[]): number[] {
  const stats = readAllStats()
  return roots.map(root => descendants(root, stats).reduce((sum, stat) => sum + stat.ticks, 0))
}

/** Process ids: `root`, and all that descend from it. */
export function processTree(root: number): number[] {
  return descendants(root, readAllStats()).map(({ pid }) => pid)
}

/** Resident bytes of a process tree. Pages that its processes share count once for each of them. */
export function treeResidentSize(root: number): number {
  return descendants(root, readAllStats()).reduce((sum, { pid }) => {
    const text = readIfThere(`/proc/${pid}/status`)
    return sum + (text === null ? 0 : (parseResidentSize(text) ?? 0))
  }, 0)
}

/** Clock ticks that one CPU has spent, since the machine started. */
export interface CpuTimes {
  /** On anything: processes, interrupts, and what the hypervisor took away. */
  readonly busy: number
  readonly total: number
}

/** Reads one CPU's line of `/proc/stat`; null when there is none. */
export function parseCpuTimes(text: string, cpu: number): CpuTimes | null {
  const match = new RegExp(`^cpu${cpu} (.*)$`, 'm').exec(text)
  if (match === null) return null
  // user nice system idle iowait irq softirq steal; guest times after these are within user and nice already.
  const [user, nice, system, idle, iowait, irq, softirq, steal] = match[1]!.trim().split(/\s+/).map(Number)
  const busy = user! + nice! + system! + irq! + softirq! + (steal ?? 0)
  const total = busy + idle! + iowait!
  return Number.isFinite(total) ? { busy, total } : null
}

export function cpuTimes(cpu: number): CpuTimes | null {
  return parseCpuTimes(readIfThere('/proc/stat') ?? '', cpu)
}

function readAllStats(): ProcessStat[] {
  const stats: ProcessStat[] = []
  for (const entry of readdirSync('/proc')) {
    if (!/^[0-9]+$/.test(entry)) continue
    const text = readIfThere(`/proc/${entry}/stat`)
    const stat = text === null ? null : parseProcessStat(text)
    if (stat !== null) stats.push(stat)
  }
  return stats
}

/** A process may end between being listed and being read: that is no error. */
function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return null
  }
}
