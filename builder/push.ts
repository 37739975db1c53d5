// From a pushed commit to a running app (builder contract, section 3): config, source, build, deploy, for each ref in turn. The
// refs move only when all of it worked.

import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { isDiskFull } from '#kit/full-disk.ts'
import type { Logger } from '#kit/log.ts'
import { removeTree } from '#kit/remove-tree.ts'
import { BuildError, type BuildResult, type BuildStrategy, shortCommit } from './build/strategy.ts'
import { type BuildQueue, QueueFullError } from './build-queue.ts'
import { ControllerAwayError, type ControllerClient, ControllerRefusal } from './controller-client.ts'
import { git } from './git/git.ts'
import type { HookCall } from './git/hook-server.ts'
import { quarantineEnv, SourceError, type SourceLimits, unpackSource } from './git/source.ts'
import { words } from './pusher-words.ts'

export interface PushesOptions {
  readonly controller: ControllerClient
  readonly strategy: BuildStrategy
  readonly queue: BuildQueue
  /** Where sources are unpacked. */
  readonly sources: string
  readonly limits: SourceLimits
  /** Of a build without its time in the queue, milliseconds. */
  readonly buildTimeout: number
  /** Of the lines that say that it is still going on, milliseconds. */
  readonly tick: number
  readonly log: Logger
  readonly ended: (outcome: PushOutcome, milliseconds: number) => void
}

export type PushOutcome = 'deployed' | 'refused' | 'failed' | 'lost'

interface ImageOrder {
  readonly pusher: Pusher
  readonly call: HookCall
  readonly commit: string
  readonly config: Readonly<Record<string, string>>
  /** Aborts when nobody wants it any more. */
  readonly alive: AbortSignal
}

export interface Pusher {
  readonly app: string
  readonly user: string
  readonly repository: string
}

/** `reason` is for the pusher. */
class PushError extends Error {
  readonly outcome: PushOutcome

  constructor(outcome: PushOutcome, reason: string, options?: ErrorOptions) {
    super(reason, options)
    this.outcome = outcome
  }
}

const commitPattern = /^[0-9a-f]{40}$/
const nobody = '0'.repeat(40)

export class Pushes {
  readonly #options: PushesOptions
  readonly #signal: AbortSignal

  /** `signal`: the end of the builder. */
  constructor(options: PushesOptions, signal: AbortSignal) {
    this.#options = options
    this.#signal = signal
  }

  /** Whether the refs may move. */
  async receive(pusher: Pusher, call: HookCall): Promise<boolean> {
    const { log, ended } = this.#options
    const began = performance.now()
    const { app, user } = pusher
    let outcome: PushOutcome = 'deployed'
    try {
      // Before anything is built: a ref that is deleted fails with its others.
      for (const { new: commit } of call.updates)
        if (!commitPattern.test(commit) || commit === nobody)
          throw new PushError('refused', `git sha ${commit} was invalid`)
      for (const { new: commit } of call.updates) await this.#build(pusher, call, commit)
      return true
    } catch (error) {
      const failure = explain(error, this.#signal)
      outcome = failure.outcome
      const level = outcome === 'lost' ? 'error' : 'info'
      log[level]({ app, user, reason: failure.message, error: String(failure.cause ?? '') }, 'a push failed')
      for (const line of words.failed(failure.message, new Date()).split('\n')) call.complain(line)
      return false
    } finally {
      ended(outcome, performance.now() - began)
    }
  }

  async #build(pusher: Pusher, call: HookCall, pushed: string): Promise<void> {
    const { controller, log } = this.#options
    const { app, user, repository } = pusher
    const { say } = call
    const alive = AbortSignal.any([this.#signal, call.gone])
    const config = await controller.config(user, app, alive)
    const commit = await commitOf(repository, call, pushed, alive)
    const { image, procfile, fromDockerfile } = await this.#image({ pusher, call, commit, config, alive })
    say(words.built)
    say(words.launch)
    using _ticks = this.#ticks(say)
    // A deploy that has begun goes on whatever becomes of us, so its end is waited for.
    const version = await controller
      .build({ sha: shortCommit(commit), user, app, image, procfile, fromDockerfile }, this.#signal)
      .catch(error => {
        if (!(error instanceof ControllerRefusal || error instanceof ControllerAwayError)) throw error
        const reason = `The controller returned an error when publishing the release: ${error.message}`
        throw new PushError(error instanceof ControllerRefusal ? 'failed' : 'lost', reason, { cause: error })
      })
    log.info({ app, user, commit, version }, 'deployed')
    for (const line of words.done(app, version)) say(line)
  }

  async #image({ pusher, call, commit, config, alive }: ImageOrder): Promise<BuildResult> {
    const { strategy, limits, buildTimeout } = this.#options
    const { app, repository } = pusher
    const { say, quarantine } = call
    using _place = await this.#place(alive, say)
    await using room = await this.#room(app)
    say(words.start)
    const signal = AbortSignal.any([alive, AbortSignal.timeout(buildTimeout)])
    const source = join(room.directory, 'source')
    using ticks = this.#ticks(say)
    for (const name of await unpackSource({ repository, quarantine, commit, directory: source, limits, signal }))
      say(words.leftOut(name))
    const heard = (line: string): void => {
      ticks[Symbol.dispose]()
      say(line)
    }
    try {
      return await strategy.build({ app, commit, source, config, say: heard, signal })
    } catch (error) {
      if (signal.aborted && !alive.aborted)
        throw new PushError('failed', `the build took longer than ${Math.round(buildTimeout / 60_000)} minutes`)
      throw error
    }
  }

  async #place(alive: AbortSignal, say: HookCall['say']): Promise<Disposable> {
    try {
      return await this.#options.queue.enter(alive, before => say(words.queued(before)))
    } catch (error) {
      throw error instanceof QueueFullError ? new PushError('refused', error.message) : error
    }
  }

  /** For a source; gone with what the build has made of it when it is disposed of. */
  async #room(app: string): Promise<AsyncDisposable & { readonly directory: string }> {
    const { sources, log } = this.#options
    const directory = await mkdtemp(join(sources, `${app}-`))
    const remove = (): Promise<void> =>
      // What is left over takes room until the next start, and is no fault of the push.
      removeTree(directory).catch(error => log.error({ app, directory, error: String(error) }, 'a source stays'))
    return { directory, [Symbol.asyncDispose]: remove }
  }

  #ticks(say: (line: string) => void): Disposable {
    const timer = setInterval(() => say(words.waiting), this.#options.tick)
    return { [Symbol.dispose]: () => clearInterval(timer) }
  }
}

/** The commit that a tag names. */
async function commitOf(
  repository: string,
  { quarantine }: HookCall,
  pushed: string,
  signal: AbortSignal,
): Promise<string> {
  const env = quarantineEnv(quarantine)
  try {
    return (
      await git(['rev-parse', '--verify', '--quiet', `${pushed}^{commit}`], { cwd: repository, env, signal })
    ).trim()
  } catch (error) {
    if (signal.aborted) throw error
    throw new PushError('refused', `git sha ${pushed} was invalid`, { cause: error })
  }
}

function explain(error: unknown, ending: AbortSignal): PushError {
  if (error instanceof PushError) return error
  if (ending.aborted) return new PushError('lost', 'the builder is ending, push again', { cause: error })
  if (isDiskFull(error)) return new PushError('lost', words.full, { cause: error })
  if (error instanceof BuildError) return new PushError(error.kind, error.message, { cause: error.cause ?? error })
  if (error instanceof SourceError) return new PushError('refused', error.message, { cause: error })
  if (error instanceof ControllerRefusal) return new PushError('refused', error.message, { cause: error })
  if (error instanceof ControllerAwayError) return new PushError('lost', error.message, { cause: error })
  return new PushError('lost', 'something went wrong in the builder', { cause: error })
}
