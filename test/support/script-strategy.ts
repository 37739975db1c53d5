// A strategy that builds as a pushed app says: its script `build.sh` runs as a child, prints to the pusher, and leaves what is
// to be run; the image is a directory, which the local cluster runs as it is.

import { spawn } from 'node:child_process'
import { cp, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import {
  BuildError,
  type BuildRequest,
  type BuildResult,
  type BuildStrategy,
  shortCommit,
} from '#builder/build/strategy.ts'

export class ScriptStrategy implements BuildStrategy {
  readonly kind = 'local'
  readonly leftOvers = []
  readonly requests: BuildRequest[] = []
  readonly forgotten: string[] = []
  readonly #images: string

  constructor(images: string) {
    this.#images = images
  }

  async check(): Promise<void> {}

  async build(request: BuildRequest): Promise<BuildResult> {
    this.requests.push(request)
    const { app, commit, source, config, say, signal } = request
    const child = spawn('sh', ['build.sh'], {
      cwd: source,
      env: { PATH: process.env.PATH, ...config },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    const kill = (): void => {
      try {
        process.kill(-child.pid!, 'SIGKILL')
      } catch {
        // It has ended.
      }
    }
    signal.addEventListener('abort', kill, { once: true })
    createInterface({ input: child.stdout }).on('line', say)
    createInterface({ input: child.stderr }).on('line', say)
    const { promise, resolve } = Promise.withResolvers<number | null>()
    child.on('close', resolve)
    const code = await promise
    signal.removeEventListener('abort', kill)
    signal.throwIfAborted()
    if (code !== 0) throw new BuildError('failed', `Build pod exited with code ${code}, stopping build.`)
    const image = join(this.#images, `${app}-${shortCommit(commit)}`)
    await mkdir(this.#images, { recursive: true })
    await cp(source, image, { recursive: true })
    const lines = (await readFile(join(source, 'Procfile'), 'utf8').catch(() => '')).split('\n')
    const procfile = Object.fromEntries(
      lines.flatMap(line =>
        (/^(\w+):\s*(.+)$/.exec(line) ?? []).slice(1, 3).length === 2
          ? [[line.split(':')[0]!, line.slice(line.indexOf(':') + 1).trim()]]
          : [],
      ),
    )
    return { image, procfile, fromDockerfile: false }
  }

  async forget(app: string): Promise<void> {
    this.forgotten.push(app)
  }

  async close(): Promise<void> {}
}
