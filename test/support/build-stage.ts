// Local builds in a temporary directory: sources made of a few lines, and what the pusher hears.

import { chmod, cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { LocalStrategy, type LocalStrategyOptions } from '#builder/build/local/local-strategy.ts'
import type { BuildResult } from '#builder/build/strategy.ts'

export const commit = '1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d'

export interface BuildOptions {
  readonly app?: string
  readonly config?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
  readonly onLine?: (line: string) => void
  readonly commit?: string
}

/** Files by their paths; those whose text begins with `#!` are programs. */
export type Files = Readonly<Record<string, string>>

export class BuildStage implements AsyncDisposable {
  readonly directory: string
  readonly strategy: LocalStrategy
  /** Of the last build. */
  lines: string[] = []
  #sources = 0

  private constructor(directory: string, strategy: LocalStrategy) {
    this.directory = directory
    this.strategy = strategy
  }

  static async start(registry: URL, options: Partial<LocalStrategyOptions> = {}): Promise<BuildStage> {
    const directory = await mkdtemp(join(tmpdir(), 'build-'))
    const state = join(directory, 'state')
    const strategy = await LocalStrategy.open({ state, registry, credentials: null, tokens: null, ...options })
    return new BuildStage(directory, strategy)
  }

  get state(): string {
    return join(this.directory, 'state')
  }

  get output(): string {
    return this.lines.join('\n')
  }

  /** Files, or an example of ours. */
  async build(files: Files | URL, options: BuildOptions = {}): Promise<BuildResult> {
    const { app = 'shop', config = {}, signal = new AbortController().signal, onLine } = options
    const source = join(this.directory, `source-${++this.#sources}`)
    if (files instanceof URL) await cp(files, source, { recursive: true })
    else await writeFiles(source, files)
    this.lines = []
    const say = (line: string): void => {
      this.lines.push(line)
      onLine?.(line)
    }
    return await this.strategy.build({ app, commit: options.commit ?? commit, source, config, say, signal })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.strategy.close()
    await rm(this.directory, { recursive: true, force: true })
  }
}

export async function writeFiles(directory: string, files: Files): Promise<void> {
  await mkdir(directory, { recursive: true })
  for (const [path, text] of Object.entries(files)) {
    const file = join(directory, path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, text)
    if (text.startsWith('#!')) await chmod(file, 0o755)
  }
}
