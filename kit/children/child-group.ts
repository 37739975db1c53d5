// One child process as the leader of a group and session of its own, so that all that it starts ends with it.
//
// It waits at a gate until the journal knows it: were we killed before, it would find the gate's other end gone, and
// leave without having run anything. So there is no moment in which a group of ours could be left over unknown.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { Journal } from './journal.ts'
import { isGroupAlive, signalGroup } from './process-group.ts'

export type Exit =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signalled'; readonly signal: NodeJS.Signals }
  /** `reason`: a word of the system's, such as ENOENT. `cause`: when it is ours, and not the command's. */
  | { readonly kind: 'unstarted'; readonly reason: string; readonly cause?: unknown }

/** As a clause. */
export function explainExit(exit: Exit): string {
  if (exit.kind === 'exited') return `it exited with status ${exit.code}`
  return exit.kind === 'signalled' ? `it was ended by ${exit.signal}` : `it cannot be started (${exit.reason})`
}

/** As shells say it. */
export function exitCodeOf(exit: Exit): number {
  if (exit.kind === 'exited') return exit.code
  return exit.kind === 'signalled' ? 128 + constants.signals[exit.signal] : 127
}

export interface GroupOptions {
  readonly journal: Journal
  readonly app: string
  /** What the journal calls it. */
  readonly name: string
  readonly command: readonly string[]
  readonly directory: string
  readonly environment: Readonly<Record<string, string>>
  /** Hears what it says. `joined`: both streams as one, in the order of its writes. */
  readonly output: { readonly kind: 'none' } | { readonly kind: 'joined' | 'separate'; readonly listen: Listen }
}

type Listen = (stream: Readable) => void

/** How long what is left in the pipes may take to come once the group is gone: somebody who left the group holds them. */
const outputPatience = 1_000
/** How long a killed group may take to be gone. */
const killPatience = 2_000
/** Between two looks whether the group is gone: nothing tells. */
const longestPause = 160

export class ChildGroup {
  /** 0: it was never started. */
  readonly pid: number
  /** Resolves when the group is gone and its output was heard. Never rejects. */
  readonly exited: Promise<Exit>
  readonly #journal: Journal
  #stopping = false
  /** Nobody is left in it: its id may be somebody else's by now. */
  #gone = false
  #killAt: number | null = null
  #timer: NodeJS.Timeout | null = null

  constructor(options: GroupOptions) {
    this.#journal = options.journal
    const started = start(options)
    this.pid = started.child?.pid ?? 0
    this.exited = this.#follow(started)
  }

  /** SIGTERM to all of the group, and SIGKILL to who is left after `grace` milliseconds. */
  stop(grace: number): Promise<Exit> {
    if (this.pid !== 0 && !this.#stopping && !this.#gone) {
      this.#stopping = true
      signalGroup(this.pid, 'SIGTERM')
      this.#timer = setTimeout(() => this.kill(), grace)
    }
    return this.exited
  }

  /** SIGKILL to all of the group. */
  kill(): void {
    if (this.pid === 0 || this.#gone || this.#killAt !== null) return
    this.#killAt = performance.now()
    signalGroup(this.pid, 'SIGKILL')
  }

  async #follow({ child, fault, cause, exit }: Started): Promise<Exit> {
    if (child === null) return { kind: 'unstarted', reason: fault }
    const result = await exit
    if (this.pid === 0) return result
    // Its children may be what does the work, and still finish it. Without having been told to stop they are left-overs.
    if (!this.#stopping) this.kill()
    for (let pause = 10; isGroupAlive(this.pid); pause = Math.min(2 * pause, longestPause)) {
      if (this.#killAt !== null && performance.now() - this.#killAt > killPatience) break
      await delay(pause)
    }
    this.#gone = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    await this.#finishOutput(child)
    this.#journal.remove(this.pid)
    return fault === '' ? result : { kind: 'unstarted', reason: fault, cause }
  }

  async #finishOutput(child: ChildProcess): Promise<void> {
    const open = [child.stdout, child.stderr].filter(stream => stream !== null && !stream.closed)
    const patience = new AbortController()
    const all = Promise.all(open.map(stream => once(stream!, 'close', { signal: patience.signal })))
    await Promise.race([all, delay(outputPatience, undefined, { signal: patience.signal })]).catch(() => {})
    all.catch(() => {})
    patience.abort()
    for (const stream of open) stream!.destroy()
  }
}

interface Started {
  readonly child: ChildProcess | null
  /** Why it does not run; empty: it does. */
  readonly fault: string
  readonly cause?: unknown
  readonly exit: Promise<Exit>
}

function start({ journal, app, name, command, directory, environment, output }: GroupOptions): Started {
  const gate = `read -r go <&3 || exit 70; exec "$@" 3<&-${output.kind === 'joined' ? ' 2>&1' : ''}`
  const isHeard = output.kind !== 'none'
  let child: ChildProcess
  try {
    child = spawn('/bin/sh', ['-c', gate, 'sh', ...command], {
      cwd: directory,
      env: environment,
      detached: true,
      stdio: ['ignore', isHeard ? 'pipe' : 'ignore', output.kind === 'separate' ? 'pipe' : 'ignore', 'pipe'],
    })
  } catch (error) {
    // Arguments or environment that are too long, or hold a NUL.
    return { child: null, fault: reasonOf(error), exit: Promise.resolve({ kind: 'unstarted', reason: '' }) }
  }
  const exit = new Promise<Exit>(resolve => {
    child.once('error', error => resolve({ kind: 'unstarted', reason: reasonOf(error) }))
    child.once('exit', (code, signal) =>
      resolve(signal === null ? { kind: 'exited', code: code ?? 0 } : { kind: 'signalled', signal }),
    )
  })
  const pass = child.stdio[3] as Writable | null | undefined
  pass?.on('error', () => {})
  if (isHeard)
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('error', () => {})
      if (stream) output.listen(stream)
    }
  let fault = ''
  let cause: unknown
  if (child.pid !== undefined) {
    try {
      journal.add(child.pid, app, name)
      pass?.end('\n')
    } catch (error) {
      fault = `the journal cannot be written: ${reasonOf(error)}`
      cause = error
      pass?.destroy()
    }
  }
  return { child, fault, cause, exit }
}

function reasonOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? (error instanceof Error ? error.message : String(error))
}
