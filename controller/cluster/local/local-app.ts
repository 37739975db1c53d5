// One app on this machine: what the router is told of it, its processes, and one thing at a time that changes them.

import { setTimeout as delay } from 'node:timers/promises'
import type { AppId } from '../../domain/app.ts'
import type { DesiredApp, Routing } from '../../domain/desired-app.ts'
import { ClusterError, type Process } from '../cluster.ts'
import type { ManifestDirectory } from './manifest-directory.ts'
import { endpointsManifest, routingManifest } from './manifests.ts'
import type { LocalProcess, ProcessHost } from './process.ts'
import { ProcessSet } from './process-set.ts'
import { bringBack, type RolloutOptions, replace, rollOut, type Wanted } from './rollout.ts'

/** What a change of processes takes, but for what the app knows itself. */
export type Change = Omit<RolloutOptions, 'publish' | 'onEnding'>

export class LocalApp {
  readonly id: AppId
  readonly uuid: string
  readonly processes: ProcessSet
  readonly #manifests: ManifestDirectory
  readonly #onFault: (error: Error) => void
  readonly #endings = new Set<Promise<void>>()
  readonly #gone = new AbortController()
  #endpoints: string | null = null
  /** The process type that traffic goes to since it was turned last. */
  #routed: string | null = null
  /** Resolves when the last of those who change processes is done. */
  #turn: Promise<void> = Promise.resolve()
  #waiting = 0
  /** Ends what `repair` left going on. */
  #background: AbortController | null = null

  /** `onFault`: the router could not be told of a change that nobody waits for; it is tried again with the next one. */
  constructor(
    { id, uuid }: Pick<DesiredApp, 'id' | 'uuid'>,
    host: ProcessHost,
    manifests: ManifestDirectory,
    onFault: (error: Error) => void,
  ) {
    this.id = id
    this.uuid = uuid
    this.#manifests = manifests
    this.#onFault = onFault
    this.processes = new ProcessSet(host, () => this.#follow())
  }

  /** Aborts when the app is destroyed, or the cluster closed. */
  get gone(): AbortSignal {
    return this.#gone.signal
  }

  /** Throws ClusterError `unreachable`. Returns what was changed, in words. */
  route(routing: Routing, port: number | null): readonly string[] {
    this.gone.throwIfAborted()
    const text = routingManifest(this.id, this.uuid, routing, port)
    const before = told(() => this.#manifests.write(this.id, 'app', text))
    return before === 'same' ? [] : [`Service ${this.id} was ${before}`]
  }

  /** Throws as `rollOut` does. */
  rollOut(wanted: readonly Wanted[], change: Change): Promise<void> {
    return this.#inTurn(change.signal, signal => rollOut(this.processes, wanted, this.#options(change, signal)))
  }

  /**
   * Starts what is missing, without waiting. Whoever changes processes right now is let alone. Returns what was changed,
   * in words.
   */
  bringBack(wanted: readonly Wanted[], change: Omit<Change, 'signal'>): readonly string[] {
    this.gone.throwIfAborted()
    const changed = this.#bringBackEndpoints()
    if (this.#waiting > 0) return changed
    this.#background?.abort()
    this.#background = new AbortController()
    const signal = AbortSignal.any([this.gone, this.#background.signal])
    const options = this.#options({ ...change, signal }, signal)
    const { started, ended, finished } = bringBack(this.processes, wanted, options)
    finished.catch((error: unknown) => {
      if (!signal.aborted) this.#onFault(error as Error)
    })
    const words = Object.entries(started).map(([type, count]) => `${count} ${type} started`)
    return [...changed, ...words, ...(ended > 0 ? [`${ended} of another release to be ended`] : [])]
  }

  /** Others in the place of those of `names`; returns them, all of them up. Throws as `rollOut` does. */
  replace(names: readonly string[], change: Omit<Change, 'routed'>): Promise<readonly LocalProcess[]> {
    return this.#inTurn(change.signal, signal => {
      const leaving = this.processes.staying().filter(({ name }) => names.includes(name))
      return replace(this.processes, leaving, this.#options({ ...change, routed: this.#routed }, signal))
    })
  }

  /** Newest first. */
  list(): readonly Process[] {
    return this.processes
      .all()
      .map(({ name, spec, state, started }) => ({ name, type: spec.type, version: spec.version, state, started }))
      .reverse()
  }

  /**
   * Ends all that there is of it. Resolves when nothing is left; `forget`: and the router was told. `handover`: milliseconds
   * that processes go on for requests which the router still sends. Throws ClusterError `unreachable`, after the end of its
   * processes.
   */
  async end(reason: Error, forget: boolean, handover: number): Promise<void> {
    this.#gone.abort(reason)
    const fault = this.#withdraw(forget)
    await this.#turn
    if (this.processes.all().some(({ isReady, port }) => isReady && port !== null)) await delay(handover)
    for (const process of this.processes.all()) this.#ending(this.processes.stop(process))
    await Promise.all(this.#endings)
    if (fault === null) return
    if (forget) throw fault
    this.#onFault(fault)
  }

  /** First, so that nobody is sent to who is ending. */
  #withdraw(forget: boolean): Error | null {
    try {
      told(() => {
        this.#manifests.remove(this.id, 'endpoints')
        if (forget) this.#manifests.remove(this.id, 'app')
      })
      return null
    } catch (error) {
      return error as Error
    }
  }

  #options(change: Change, signal: AbortSignal): RolloutOptions {
    return {
      ...change,
      signal,
      publish: () => {
        told(() => this.#publishEndpoints())
        this.#routed = change.routed
      },
      onEnding: ended => this.#ending(ended),
    }
  }

  #ending(ended: Promise<void>): void {
    this.#endings.add(ended)
    void ended.finally(() => this.#endings.delete(ended))
  }

  async #inTurn<T>(asked: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const before = this.#turn
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#turn = promise
    this.#waiting++
    try {
      await before
      const signal = AbortSignal.any([asked, this.gone])
      signal.throwIfAborted()
      this.#background?.abort()
      return await work(signal)
    } finally {
      this.#waiting--
      resolve()
    }
  }

  #follow(): void {
    try {
      this.#publishEndpoints()
    } catch (error) {
      this.#onFault(error as Error)
    }
  }

  #publishEndpoints(): 'same' | 'changed' | 'missing' {
    if (this.gone.aborted) return 'same'
    const ports = this.processes
      .all()
      .flatMap(({ serving, isReady, port }) => (serving && isReady && port !== null ? [port] : []))
    const text = endpointsManifest(this.id, ports)
    // Most of what happens to processes changes nothing here.
    if (text === this.#endpoints) return 'same'
    const before = this.#manifests.write(this.id, 'endpoints', text)
    this.#endpoints = text
    return before
  }

  #bringBackEndpoints(): readonly string[] {
    const known = this.#endpoints
    this.#endpoints = null
    const before = told(() => this.#publishEndpoints())
    return known === null || before === 'same' ? [] : [`the EndpointSlices of ${this.id} were ${before}`]
  }
}

/** What the file system refused, as an error of the cluster's. */
function told<T>(write: () => T): T {
  try {
    return write()
  } catch (error) {
    throw new ClusterError('unreachable', `the router cannot be told: ${(error as Error).message}`, { cause: error })
  }
}
