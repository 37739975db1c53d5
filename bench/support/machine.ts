// What a measurement was made on, and what this machine cannot measure. No host names, no paths: results are published.

import { spawnSync } from 'node:child_process'
import { accessSync, constants, readFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { delimiter, join } from 'node:path'

export interface Machine {
  readonly platform: string
  readonly cpuModel: string
  /** CPUs that this process may run on. */
  readonly cpus: readonly number[]
  readonly kernel: string
  readonly memoryBytes: number
  readonly node: string
  /** Short hash of HEAD, with `+` when the tree differs from it; null outside a git checkout. */
  readonly commit: string | null
}

export function describeMachine(): Machine {
  return {
    platform: `${process.platform}-${process.arch}`,
    cpuModel: cpus()[0]?.model.trim() ?? 'unknown',
    cpus: allowedCpus(),
    kernel: release(),
    memoryBytes: totalmem(),
    node: process.version,
    commit: commitOf(import.meta.dirname),
  }
}

/** Clock ticks per second of the times in `/proc/PID/stat`; null where there are none. */
export function clockTicks(): number | null {
  if (process.platform !== 'linux') return null
  const ticks = Number(spawnSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }).stdout)
  return Number.isInteger(ticks) && ticks > 0 ? ticks : 100
}

/** Reads the kernel's list form: `0-3,8` is 0, 1, 2, 3 and 8. */
export function parseCpuList(text: string): number[] {
  return text
    .trim()
    .split(',')
    .flatMap(part => {
      const match = /^([0-9]+)(?:-([0-9]+))?$/.exec(part)
      if (match === null) return []
      const first = Number(match[1])
      const last = Number(match[2] ?? match[1])
      return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index)
    })
}

/** Where the program is, or null. System directories count too: Debian keeps daemons out of a user's PATH. */
export function findProgram(name: string): string | null {
  for (const directory of [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']) {
    const file = join(directory, name)
    try {
      accessSync(file, constants.X_OK)
      return file
    } catch {}
  }
  return null
}

/** The first match of `pattern` in what the program prints about itself, on either output; null without one. */
export function programVersion(program: string, args: readonly string[], pattern: RegExp): string | null {
  const { stdout, stderr } = spawnSync(findProgram(program) ?? program, args, { encoding: 'utf8', timeout: 5_000 })
  return pattern.exec(`${stdout}\n${stderr}`)?.[1] ?? null
}

function allowedCpus(): number[] {
  if (process.platform !== 'linux') return cpus().map((_, index) => index)
  const match = /^Cpus_allowed_list:\s+(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))
  return parseCpuList(match?.[1] ?? '0')
}

function commitOf(directory: string): string | null {
  const git = (...args: string[]) => spawnSync('git', ['-C', directory, ...args], { encoding: 'utf8' })
  const head = git('rev-parse', '--short', 'HEAD')
  if (head.status !== 0) return null
  const changed = git('status', '--porcelain', '--untracked-files=no').stdout.trim() !== ''
  return head.stdout.trim() + (changed ? '+' : '')
}
