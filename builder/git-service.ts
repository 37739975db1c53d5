// One command of git over SSH: lock, repository, git's own program, and what it says in between.

import { once } from 'node:events'
import { isDiskFull, isFull, tellsOfFullDisk } from '#kit/full-disk.ts'
import type { Logger } from '#kit/log.ts'
import type { AppLock, AppLocks } from './app-locks.ts'
import type { BuildStrategy } from './build/strategy.ts'
import { Git, type GitLimits } from './git/git.ts'
import type { HookServer } from './git/hook-server.ts'
import { errorLine } from './git/pkt-line.ts'
import { type PushFault, PushGuard } from './git/push-guard.ts'
import { OtherAppError, type Repositories } from './git/repositories.ts'
import type { Pushes } from './push.ts'
import { full, locked, nameless, notYours } from './pusher-words.ts'
import type { GitVerb } from './ssh/command.ts'
import type { Conversation } from './ssh/conversation.ts'
import type { Identity, SshCall } from './ssh/server.ts'

export interface GitServiceOptions {
  readonly locks: AppLocks
  readonly repositories: Repositories
  readonly hooks: HookServer
  readonly pushes: Pushes
  readonly strategy: Pick<BuildStrategy, 'forget'>
  /** As at the login. */
  readonly identify: (fingerprint: string) => Promise<Identity | null>
  readonly limits: GitLimits
  readonly log: Logger
  readonly served: (what: 'ping' | GitVerb | 'locked' | 'refused') => void
}

const faults: Readonly<Record<PushFault, string>> = {
  refs: 'too many branches and tags in one push: each is built',
  shallow: 'a shallow clone with too many ends, push from a whole one',
  objects: 'too many objects in one push',
  garbled: 'what arrived is not what git sends',
}

/** How long git may take to end after its client is gone, milliseconds. */
const patience = 10_000

export class GitService {
  readonly #options: GitServiceOptions
  readonly #signal: AbortSignal
  readonly #underWay = new Set<Promise<void>>()

  /** `signal` ends children of git. */
  constructor(options: GitServiceOptions, signal: AbortSignal) {
    this.#options = options
    this.#signal = signal
  }

  get underWay(): number {
    return this.#underWay.size
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
  }

  /** Never rejects. */
  async serve(call: SshCall): Promise<void> {
    const work = this.#serve(call).catch(async error => {
      const { app } = call.command.kind === 'git' ? call.command : { app: null }
      const user = call.identity.username
      const isForRoom = isDiskFull(error) || (await isFull(this.#options.repositories.directory))
      if (isForRoom) this.#noRoom(app, user, String(error))
      else this.#options.log.error({ app, user, error: String(error) }, 'a command failed')
      const words = isForRoom ? full : 'Something went wrong in the builder, try again later'
      await call.conversation.complain(`${words}\n`)
      await call.conversation.end(1)
    })
    this.#underWay.add(work)
    await work
    this.#underWay.delete(work)
  }

  #noRoom(app: string | null, user: string, error: string): void {
    const { log, repositories } = this.#options
    log.error({ app, user, directory: repositories.directory, error }, 'the disk is full')
  }

  async #serve(call: SshCall): Promise<void> {
    const { served, locks } = this.#options
    const { command, identity, conversation } = call
    if (command.kind === 'ping') {
      served('ping')
      await conversation.write('pong')
      await conversation.end(0)
      return
    }
    if (command.kind === 'nameless' || !identity.apps.has(command.app)) {
      served('refused')
      await conversation.complain(`${command.kind === 'nameless' ? nameless : notYours}\n`)
      await conversation.end(1)
      return
    }
    const lock = locks.take(command.app)
    if (lock === null) {
      served('locked')
      await conversation.write(errorLine(locked))
      await conversation.end(128)
      return
    }
    served(command.verb)
    try {
      await this.#run(call, command.verb, command.app, lock)
    } finally {
      lock.release()
    }
  }

  /** Null: the app of this login is gone, and somebody else's has its name. */
  async #repository({ identity, fingerprint }: SshCall, app: string): Promise<string | null> {
    const { repositories, strategy, identify, log } = this.#options
    const uuid = identity.apps.get(app) ?? null
    try {
      return await repositories.open(app, uuid)
    } catch (error) {
      if (!(error instanceof OtherAppError)) throw error
    }
    // One of the two is gone: either this login is older than the app, or what is kept here is.
    const now = await identify(fingerprint)
    if (uuid === null || now?.apps.get(app) !== uuid) return null
    // In this order, so that who is cut short comes back here.
    await strategy.forget(app)
    await repositories.remove(app)
    log.info({ app }, 'what was kept of an app that had the name before was removed')
    return repositories.open(app, uuid)
  }

  async #run(call: SshCall, verb: GitVerb, app: string, lock: AppLock): Promise<void> {
    const { identity, conversation } = call
    const { repositories, hooks, pushes, limits, log } = this.#options
    const repository = await this.#repository(call, app)
    if (repository === null) {
      await conversation.complain(`${notYours}\n`)
      await conversation.end(1)
      return
    }
    let building = false
    using hook = hooks.expect(async hookCall => {
      building = true
      return pushes.receive({ app, user: identity.username, repository }, hookCall)
    })
    const run = new Git([verb, '.'], {
      cwd: repository,
      env: verb === 'receive-pack' ? hook.env : {},
      config: {
        ...hook.config,
        'receive.fsckObjects': 'true',
        'receive.maxInputSize': String(limits.packSize),
        // A pack for each push, which is also what is saved of it.
        'receive.unpackLimit': '1',
        'receive.autogc': 'false',
        'receive.denyDeletes': 'false',
        'receive.denyCurrentBranch': 'ignore',
        'uploadpack.allowFilter': 'true',
      },
      signal: this.#signal,
    })
    // Time over: a client that is still sending is ended, a build goes on without one.
    const detached = new AbortController()
    const expire = (): void => {
      log.warn({ app, building }, 'a lock has expired')
      if (!building) run.kill()
      detached.abort()
      void conversation.complain('The time for this push is over\n').then(() => conversation.end(1))
    }
    lock.expired.addEventListener('abort', expire, { once: true })
    const left = AbortSignal.any([conversation.gone, detached.signal])
    let insist: NodeJS.Timeout | undefined
    left.addEventListener(
      'abort',
      () => {
        run.child.stdin.end()
        // As it is not the end of a build, it is the end of a pack that will never be whole.
        if (!building) insist = setTimeout(() => building || run.kill(), patience)
      },
      { once: true },
    )
    const fault = this.#feed(conversation, run, verb, left)
    let isForRoom = false
    const shown = show(conversation, run, left, octets => {
      // Of what receives a pack these are git's words to the client, and few.
      if (verb === 'receive-pack' && !building) isForRoom ||= tellsOfFullDisk(octets.toString('latin1'))
    })
    const code = await run.ended
    clearTimeout(insist)
    lock.expired.removeEventListener('abort', expire)
    await shown
    // Git itself ends well when it has told the client that it could not keep a pack.
    if (isForRoom || (code !== 0 && !building && (await isFull(repositories.directory)))) {
      this.#noRoom(app, identity.username, run.words)
      await conversation.complain(`${full}\n`)
    }
    if (verb === 'receive-pack' && building) {
      try {
        await repositories.save(app)
      } catch (error) {
        // It is served from here as long as we live; the next push saves it as well.
        log.error({ app, error: String(error) }, 'a repository could not be saved')
      }
    }
    if (detached.signal.aborted) return
    const found = fault()
    if (found !== null) await conversation.complain(`${faults[found]}\n`)
    else if (code !== 0 && run.words !== '') await conversation.complain(`${run.words}\n`)
    await conversation.end(code ?? 128)
  }

  /** From the client to git. What is returned tells what was wrong with it, later. */
  #feed(conversation: Conversation, run: Git, verb: GitVerb, left: AbortSignal): () => PushFault | null {
    const guard = verb === 'receive-pack' ? new PushGuard(this.#options.limits) : null
    const { input } = conversation
    const { stdin } = run.child
    let fault: PushFault | null = null
    input.on('data', (octets: Buffer) => {
      if (left.aborted || fault !== null) return
      fault = guard?.read(octets) ?? null
      if (fault !== null) run.kill()
      else if (!stdin.write(octets)) input.pause()
    })
    stdin.on('drain', () => input.resume())
    // What git no longer reads is passed over.
    stdin.on('close', () => input.resume())
    input.on('end', () => stdin.end())
    return () => fault
  }
}

/** From git to the client; once he is gone to nobody, as git would end of a pipe that is full or closed. */
async function show(
  conversation: Conversation,
  run: Git,
  left: AbortSignal,
  seen: (octets: Buffer) => void,
): Promise<void> {
  const end = left.aborted ? Promise.resolve() : once(left, 'abort').then(() => {})
  for await (const octets of run.child.stdout as AsyncIterable<Buffer>) {
    seen(octets)
    if (!left.aborted) await Promise.race([conversation.write(octets), end])
  }
}
