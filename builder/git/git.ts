// The system's git as a child: without a shell, with an environment of its own, in a process group that goes as a whole.

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'

/** Octets of what git says against something that are kept. */
const mostWords = 4096

export interface GitLimits {
  /** Octets of a pack. */
  readonly packSize: number
  /** Objects of a pack. */
  readonly objects: number
  /** Branches and tags of a push: each is built. */
  readonly refs: number
}

export const defaultGitLimits: GitLimits = { packSize: 512 * 1024 * 1024, objects: 1_000_000, refs: 20 }

export interface GitOptions {
  /** Directory of repositories, or a repository. */
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  readonly config?: Readonly<Record<string, string>>
  /** Ends it, and everything that it started. */
  readonly signal?: AbortSignal
}

/** Settings for every call. Files of configuration are not read but a repository's own, which we wrote. */
const common: Readonly<Record<string, string>> = {
  // The directory may belong to the user of a volume.
  'safe.directory': '*',
  // Larger ones pass by in pieces.
  'core.bigFileThreshold': '8m',
  'pack.threads': '1',
  'pack.windowMemory': '64m',
  'gc.auto': '0',
  'protocol.allow': 'never',
}

export class GitError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'GitError'
  }
}

export class Git {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>
  /** Exit code; null: a signal ended it. Never rejects. Its output has been read then. */
  readonly ended: Promise<number | null>
  readonly #name: string
  #words = ''
  #over = false

  constructor(args: readonly string[], { cwd, env, config, signal }: GitOptions) {
    const settings = Object.entries({ ...common, ...config }).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    this.#name = args[0]!
    this.child = spawn('git', [...settings, ...args], {
      cwd,
      env: {
        PATH: process.env.PATH ?? '/usr/bin:/bin',
        HOME: cwd,
        LC_ALL: 'C.UTF-8',
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_CONFIG_GLOBAL: '/dev/null',
        GIT_TERMINAL_PROMPT: '0',
        ...env,
      },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    })
    this.child.stdin.on('error', () => {})
    this.child.stdout.on('error', () => {})
    this.child.stderr
      .on('error', () => {})
      .on('data', (words: Buffer) => {
        if (this.#words.length < mostWords) this.#words += words.toString()
      })
    const kill = (): void => this.kill()
    if (signal?.aborted) kill()
    else signal?.addEventListener('abort', kill, { once: true })
    this.ended = once(this.child, 'close').then(
      ([code]) => code as number | null,
      (error: Error) => {
        this.#words = error.message
        return null
      },
    )
    void this.ended.then(() => {
      this.#over = true
      signal?.removeEventListener('abort', kill)
    })
  }

  /** What it said on stderr so far. */
  get words(): string {
    return this.#words.trim()
  }

  /** With everything that it started. */
  kill(): void {
    const { pid } = this.child
    // Once its output is closed nobody of the group is left, and the number may be somebody else's.
    if (pid === undefined || this.#over) return
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // Nobody is left.
    }
  }

  /** Throws GitError unless it ended well. */
  async done(): Promise<void> {
    const code = await this.ended
    if (code !== 0)
      throw new GitError(`git ${this.#name} ended with ${code ?? 'a signal'}: ${this.words || 'no words'}`)
  }
}

/** Octets of an answer that is read as a whole. */
const mostAnswer = 64 * 1024 * 1024

/** Runs it to its end, and gives what it printed. Throws GitError. */
export async function git(args: readonly string[], options: GitOptions & { readonly input?: string }): Promise<string> {
  const run = new Git(args, options)
  run.child.stdin.end(options.input ?? '')
  const parts: Buffer[] = []
  let size = 0
  run.child.stdout.on('data', (part: Buffer) => {
    size += part.length
    if (size > mostAnswer) run.kill()
    else parts.push(part)
  })
  await run.done()
  return Buffer.concat(parts).toString()
}

/** What it prints, in pieces; throws GitError at the end unless it ended well, and kills it when nobody reads on. */
export async function* gitOutput(
  args: readonly string[],
  options: GitOptions & { readonly input?: string },
): AsyncGenerator<Buffer> {
  const run = new Git(args, options)
  run.child.stdin.end(options.input ?? '')
  try {
    yield* run.child.stdout as AsyncIterable<Buffer>
    await run.done()
  } finally {
    run.kill()
    await run.ended
  }
}
