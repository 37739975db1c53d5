// Somebody who types `deis` commands: a home and a directory of their own, and what the commands said.

import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable, Writable } from 'node:stream'
import { run } from '#cli/run.ts'

export interface TypeOptions {
  /** Piped in; null: a terminal that says nothing. */
  readonly input?: string | null
  readonly env?: Readonly<Record<string, string>>
  /** Whether stdout and stderr are a terminal. */
  readonly terminal?: boolean
  readonly directory?: string
  readonly signal?: AbortSignal
  readonly now?: number
  /** Whether the system knows names under `localhost`. */
  readonly resolves?: boolean
  /** Hears stdout as it comes. */
  readonly listen?: (text: string) => void
}

export interface Said {
  readonly code: number
  readonly out: string
  readonly err: string
}

export class Terminal implements AsyncDisposable {
  readonly home: string
  /** Where commands are run. */
  readonly directory: string
  readonly #root: string

  private constructor(root: string) {
    this.#root = root
    this.home = join(root, 'home')
    this.directory = join(root, 'nothing-here')
  }

  static async open(): Promise<Terminal> {
    const terminal = new Terminal(await mkdtemp(join(tmpdir(), 'deis-')))
    await mkdir(terminal.home)
    await mkdir(terminal.directory)
    return terminal
  }

  get env(): Readonly<Record<string, string>> {
    return {
      HOME: this.home,
      PATH: process.env.PATH ?? '',
      // Of git: nothing but what a test makes.
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CEILING_DIRECTORIES: this.#root,
    }
  }

  /** Runs `deis` with these words in this process. */
  async type(words: readonly string[], options: TypeOptions = {}): Promise<Said> {
    const { input = '', terminal = false, directory = this.directory, now } = options
    const stdin =
      input === null ? Object.assign(new PassThrough(), { isTTY: true }) : Readable.from(input === '' ? [] : [input])
    const out = sink(terminal, options.listen)
    const err = sink(terminal)
    const code = await run(words, {
      env: { ...this.env, ...options.env },
      ...{ directory, stdin, stdout: out.stream, stderr: err.stream },
      signal: options.signal ?? new AbortController().signal,
      now: () => now ?? Date.now(),
      resolves: async () => options.resolves ?? true,
    })
    return { code, out: out.text(), err: err.text() }
  }

  /** As `type`, from one line; nothing is quoted. */
  deis(line: string, options: TypeOptions = {}): Promise<Said> {
    return this.type(line.split(' '), options)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#root, { recursive: true, force: true })
  }
}

function sink(isTTY: boolean, listen: (text: string) => void = () => {}) {
  const parts: string[] = []
  const stream = Object.assign(
    new Writable({
      decodeStrings: false,
      write(text: string | Buffer, _encoding, done) {
        parts.push(text.toString())
        listen(text.toString())
        done()
      },
    }),
    { isTTY },
  )
  return { stream, text: () => parts.join('') }
}
