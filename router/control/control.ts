// From the source's facts to Patches:
//
//   services ─┐
//   slices ───┤
//   ingresses ┼─▶ World ─▶ (holdoff) ─▶ take ─▶ which Secrets are wanted ─▶ publish
//   workload ─┤                                        │
//   secrets ◀─┴────── one watch for each ◀─────────────┘
//
// The first publication carries the whole world, once everything that it takes has been heard of. After that each
// change follows in milliseconds. What only some routes depend on (Ingresses, a Service by its name) keeps the others
// waiting no longer than a few seconds when the server refuses it.

import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '#kit/log.ts'
import type { KubeObject } from '#kube/types.ts'
import type { Change, Watcher, WatchState } from '#kube/watch.ts'
import type { Patch } from '../model/patch.ts'
import { compose } from './compose.ts'
import { Holdoff } from './holdoff.ts'
import { type DatedProblem, ProblemBook } from './problem-book.ts'
import { logProblems } from './problem-log.ts'
import { SecretWatches } from './secret-watches.ts'
import type { Source } from './source.ts'
import { WatchLog } from './watch-log.ts'
import type { World } from './world.ts'

const holdoffRange = { quiet: 2, longest: 25 }
/** Secrets that do not come may keep us from being ready this long, milliseconds since the last one that came. */
const secretPatience = 5000
/** A change that asks for new Secrets waits this long for them, so that a host that changes its certificate keeps HTTPS. */
const secretHold = 300
/** How often things are looked at that no event tells of. */
const lookInterval = 1000
const impatientLookInterval = 100

/** Of what is waited for, so many are named. */
const mostShown = 20

/** What is refused to us and not indispensable keeps us from being ready this long, milliseconds. */
const refusalPatience = 5000

export interface ControlOptions {
  readonly source: Source
  readonly world: World
  /** The next step of the configuration; the first one has `reset`. `heardAt`: when the first news of it came, `performance.now()`. */
  readonly publish: (patch: Patch, heardAt: number) => void
  /** The world may be another one now, in what no Patch tells of too: the status of Ingresses, the names to resolve. */
  readonly onStep?: () => void
  readonly log: Logger
  /** Milliseconds since the epoch. */
  readonly now?: () => number
}

export class Control {
  readonly #source: Source
  readonly #world: World
  readonly #publish: (patch: Patch, heardAt: number) => void
  readonly #onStep: () => void
  readonly #log: Logger
  readonly #stop = new AbortController()
  readonly #holdoff: Holdoff
  readonly #secrets: SecretWatches
  readonly #sourceProblems: ProblemBook
  readonly #watchLog: WatchLog
  /** What is followed, by resource: whether we can do without, and whether it has been heard. */
  readonly #followed = new Map<string, { readonly isVital: boolean; heard: boolean }>()
  readonly #running: Promise<void>[] = []
  #look: NodeJS.Timeout | null = null
  #held: { readonly since: number; readonly heardAt: number; patch: Patch; readonly release: NodeJS.Timeout } | null =
    null
  /** When the first news came that no step has looked at; null: there are none. */
  #heardAt: number | null = null
  #startedAt = 0
  #lastProgress = 0
  #synced = false
  /** A step failed: what the world has told of is not all in force, and only the whole of it will be right. */
  #behind = false

  constructor(options: ControlOptions) {
    this.#source = options.source
    this.#world = options.world
    this.#publish = options.publish
    this.#onStep = options.onStep ?? (() => {})
    this.#log = options.log
    this.#sourceProblems = new ProblemBook(options.now ?? Date.now)
    this.#watchLog = new WatchLog(options.log)
    this.#holdoff = new Holdoff(() => this.#step(), holdoffRange)
    this.#secrets = new SecretWatches({
      source: this.#source,
      heard: (namespace, name, change) => {
        this.#lastProgress = performance.now()
        this.#world.secret(namespace, name, change)
        this.touch()
      },
      failed: error => this.#log.error({ err: error }, 'a watch of a Secret failed and begins again'),
    })
  }

  /** The source has been heard in full and published. */
  get synced(): boolean {
    return this.#synced
  }

  start(): void {
    const source = this.#source
    const world = this.#world
    this.#startedAt = performance.now()
    this.#follow('services', true, source.services, change => world.services(change))
    this.#follow('endpointslices', true, source.endpointSlices, change => world.endpointSlices(change))
    this.#follow(source.workloadResource, true, source.workload, change => world.workload(change))
    const { ingresses, ingressClasses } = source
    if (ingressClasses !== null)
      this.#follow('ingressclasses', false, ingressClasses, change => world.ingressClasses(change))
    if (ingresses !== null) this.#follow('ingresses', false, ingresses, change => world.ingresses(change))
    for (const { namespace, name, services, endpointSlices } of source.namedServices) {
      const path = `${namespace}/${name}`
      this.#follow(`service ${path}`, false, services, change => world.namedService(namespace, name, change))
      if (endpointSlices !== null)
        this.#follow(`endpointslices of ${path}`, false, endpointSlices, change =>
          world.namedEndpointSlices(namespace, name, change),
        )
    }
    this.#scheduleLook()
  }

  /** Somebody has told the world something: a step follows. */
  touch(): void {
    this.#heardAt ??= performance.now()
    this.#holdoff.mark()
  }

  /** Ends all watches; nothing is published after it. */
  async stop(): Promise<void> {
    this.#stop.abort()
    this.#holdoff[Symbol.dispose]()
    if (this.#look !== null) clearTimeout(this.#look)
    if (this.#held !== null) clearTimeout(this.#held.release)
    await Promise.all([...this.#running, this.#secrets.stop()])
  }

  /** What keeps the first publication back, one line for each; empty once `synced`. */
  waitingFor(): readonly string[] {
    if (this.#synced) return []
    const states = new Map(this.#source.states().map(state => [state.resource, state]))
    const missing = this.#missing()
    const names = missing.length > 0 ? missing : this.#secrets.unsettled().map(key => `secret ${key}`)
    const shown = names.slice(0, mostShown).map(name => describe(name, states.get(name)))
    return names.length > mostShown ? [...shown, `and ${names.length - mostShown} more`] : shown
  }

  watches(): readonly WatchState[] {
    return this.#source.states()
  }

  /** Of the source and of the objects that it tells of. */
  problems(): readonly DatedProblem[] {
    this.#readSourceProblems()
    return [...this.#sourceProblems.list(), ...this.#world.problems()]
  }

  #follow<T extends KubeObject>(
    name: string,
    isVital: boolean,
    watcher: Watcher<T>,
    hear: (change: Change<T>) => void,
  ): void {
    const followed = { isVital, heard: false }
    this.#followed.set(name, followed)
    const run = async (): Promise<void> => {
      for (const { signal } = this.#stop; !signal.aborted; ) {
        try {
          for await (const change of watcher.changes(signal)) {
            if (signal.aborted) return
            hear(change)
            if (change.kind === 'reset') followed.heard = true
            this.touch()
          }
        } catch (error) {
          // A watch keeps its failures to itself: this is a fault of ours, and no reason to stop following.
          this.#log.error({ err: error, watch: name }, 'a watch failed and begins again')
        }
        await delay(lookInterval, undefined, { signal }).catch(() => {})
      }
    }
    this.#running.push(run())
  }

  /** What has to be heard before anything can be published, by resource. */
  #missing(): readonly string[] {
    const missing = [...this.#followed].filter(([, { heard }]) => !heard)
    if (missing.length === 0 || performance.now() - this.#startedAt < refusalPatience) {
      return missing.map(([name]) => name)
    }
    const refused = this.#source.refused()
    return missing.filter(([name, { isVital }]) => isVital || !refused.has(name)).map(([name]) => name)
  }

  #step(): void {
    if (this.#stop.signal.aborted || (!this.#synced && this.#missing().length > 0)) return
    try {
      const since = performance.now()
      const heardAt = this.#heardAt ?? since
      const patch = this.#world.take()
      this.#secrets.want(this.#world.wantedSecrets())
      if (this.#world.unfinished) this.#holdoff.mark()
      else this.#heardAt = null
      this.#onStep()
      if (!this.#synced) this.#tryFirst()
      else if (this.#behind) this.#catchUp()
      else if (patch !== null) this.#next(patch, since, heardAt)
      else this.#release(false)
    } catch (error) {
      this.#failed(error)
    }
  }

  /** A fault of ours. What is in force serves on, which it would not if it took the process with it. */
  #failed(error: unknown): void {
    if (!this.#behind) this.#log.error({ err: error }, 'a change could not be put into force')
    this.#behind = true
  }

  #catchUp(): void {
    if (this.#held !== null) clearTimeout(this.#held.release)
    this.#held = null
    this.#publish(this.#world.whole(), performance.now())
    this.#behind = false
    this.#log.info('what could not be put into force is in force now')
    this.#logProblems()
  }

  #tryFirst(): void {
    if (this.#lastProgress === 0) this.#lastProgress = performance.now()
    if (this.#world.unfinished) return
    const unsettled = this.#secrets.unsettled()
    if (unsettled.length > 0 && performance.now() - this.#lastProgress < secretPatience) return
    if (unsettled.length > 0) this.#log.warn({ secrets: unsettled.slice(0, 20) }, 'going on without these Secrets')
    const unheard = [...this.#followed].filter(([, { heard }]) => !heard).map(([name]) => name)
    if (unheard.length > 0) this.#log.warn({ watches: unheard }, 'going on without these, which we may not read')
    this.#publish(this.#world.whole(), this.#startedAt)
    this.#synced = true
    this.#behind = false
    this.#logProblems()
  }

  #next(patch: Patch, since: number, heardAt: number): void {
    if (this.#held !== null) this.#held.patch = compose(this.#held.patch, patch)
    else this.#held = { since, heardAt, patch, release: setTimeout(() => this.#releaseLate(), secretHold) }
    this.#release(false)
  }

  /** Publishes what is held back, unless it is worth waiting for a Secret. */
  #release(late: boolean): void {
    if (this.#held === null) return
    const { since, heardAt, patch, release } = this.#held
    if (!late && this.#secrets.unsettledSince(since).length > 0) return
    clearTimeout(release)
    this.#held = null
    this.#publish(patch, heardAt)
    this.#logProblems()
  }

  #releaseLate(): void {
    try {
      this.#release(true)
    } catch (error) {
      this.#failed(error)
    }
  }

  #scheduleLook(): void {
    this.#look = setTimeout(
      () => {
        this.#secrets.look()
        if (!this.#synced || this.#held !== null || this.#behind) this.#step()
        this.#watchLog.look(this.#source.states(), performance.now())
        this.#logProblems()
        this.#scheduleLook()
      },
      this.#synced ? lookInterval : impatientLookInterval,
    )
  }

  #readSourceProblems(): void {
    this.#sourceProblems.set('source', this.#source.problems())
  }

  #logProblems(): void {
    this.#readSourceProblems()
    logProblems(this.#log, this.#sourceProblems.changes())
    // Before the first publication half of the objects are missing, and so most Problems are not real.
    if (this.#synced) logProblems(this.#log, this.#world.problemChanges())
  }
}

function describe(name: string, state: WatchState | undefined): string {
  return state?.lastError ? `${name}: ${state.lastError}` : name
}
