// One slow thing at a time for each app, over all replicas: a deploy, a scaling, a removal. Whoever finds the app busy
// is refused at once while a deploy goes on, and waits for what is short.

import type { AppId } from '../domain/app.ts'
import { Refusal } from '../domain/refusal.ts'
import type { Lock, Store } from '../store/store.ts'

/** Milliseconds to wait for what is not a deploy. */
const patience = 30_000
/** And for a deploy that was told to stop. */
const forcedPatience = 120_000
/** Between two looks at who has it now: others may be before us, and they make way as well. */
const insistInterval = 250

/** Held for one app; `signal` aborts when it has to end: the lock is lost, or somebody with more right wants it. */
export interface Hold extends AsyncDisposable {
  readonly signal: AbortSignal
}

/** Why a hold was aborted by somebody who takes its place. */
export class Superseded extends Error {}

export class AppLocks {
  readonly #store: Store
  /** Those of this process. */
  readonly #held = new Map<AppId, { readonly controller: AbortController; readonly firm: boolean }>()

  constructor(store: Store) {
    this.#store = store
  }

  /** Null when the app is busy. */
  async tryHold(app: AppId, firm = false): Promise<Hold | null> {
    const lock = await this.#store.locks.tryTake(nameOf(app))
    return lock === null ? null : this.#hold(app, lock, firm)
  }

  /**
   * Throws a `conflict` Refusal when the app is busy. `force`: a deploy of this process is told to end, one of another
   * replica is waited for. `firm`: makes way for nobody.
   */
  async hold(app: AppId, options: { readonly force?: boolean; readonly firm?: boolean } = {}): Promise<Hold> {
    const { force = false, firm = false } = options
    const free = await this.tryHold(app, firm)
    if (free !== null) return free
    if (force) this.#supersede(app)
    else if (await this.#isDeploying(app)) throw this.busy(app)
    const insist = force ? setInterval(() => this.#supersede(app), insistInterval) : undefined
    const limit = AbortSignal.timeout(force ? forcedPatience : patience)
    try {
      return this.#hold(app, await this.#store.locks.take(nameOf(app), limit), firm)
    } catch (error) {
      if (limit.aborted) throw this.busy(app)
      throw error
    } finally {
      clearInterval(insist)
    }
  }

  #supersede(app: AppId): void {
    const held = this.#held.get(app)
    if (held?.firm === false) held.controller.abort(new Superseded('something else is deployed instead'))
  }

  #hold(app: AppId, lock: Lock, firm: boolean): Hold {
    const controller = new AbortController()
    this.#held.set(app, { controller, firm })
    return {
      signal: AbortSignal.any([controller.signal, lock.lost]),
      [Symbol.asyncDispose]: async () => {
        if (this.#held.get(app)?.controller === controller) this.#held.delete(app)
        await lock[Symbol.asyncDispose]()
      },
    }
  }

  async #isDeploying(app: AppId): Promise<boolean> {
    const unfinished = await this.#store.releases.unfinished()
    return unfinished.some(release => release.app === app)
  }

  /** What whoever comes to a deploy is told. */
  busy(app: AppId): Refusal {
    return new Refusal('conflict', `Deployment for ${app} is already in progress`)
  }
}

function nameOf(app: AppId): string {
  return `app:${app}`
}
