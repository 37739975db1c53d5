// A cluster that does nothing but say what it was asked, and lets a test hold up or break what it is asked: for what the
// controller does while a cluster takes its time, or has faults of its own.

import type { Cluster, Process, RunResult } from '#controller/cluster/cluster.ts'
import type { AppId } from '#controller/domain/app.ts'
import type { DesiredApp } from '#controller/domain/desired-app.ts'

export type Deed = 'create' | 'publish' | 'deploy' | 'repair' | 'scale' | 'destroy'

export interface Asked {
  readonly deed: Deed
  readonly app: DesiredApp
}

export class QuietCluster implements Cluster {
  readonly kind = 'local'
  readonly asked: Asked[] = []
  /** What happens before the answer; it may throw. */
  before: (deed: Deed, app: DesiredApp, signal: AbortSignal) => Promise<void> | void = () => {}
  readonly #waiting = new Set<() => void>()

  /** The latest of the app, once it was asked that `count` times. */
  async heard(deed: Deed, count = 1): Promise<DesiredApp> {
    for (;;) {
      const found = this.asked.filter(each => each.deed === deed)
      if (found.length >= count) return found.at(-1)!.app
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#waiting.add(resolve)
      await promise
      this.#waiting.delete(resolve)
    }
  }

  async check(): Promise<void> {}

  create(app: DesiredApp, signal: AbortSignal): Promise<void> {
    return this.#do('create', app, signal)
  }

  publish(app: DesiredApp, signal: AbortSignal): Promise<void> {
    return this.#do('publish', app, signal)
  }

  deploy(app: DesiredApp, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    return this.#do('deploy', app, signal)
  }

  async repair(app: DesiredApp, signal: AbortSignal): Promise<readonly string[]> {
    await this.#do('repair', app, signal)
    return []
  }

  scale(app: DesiredApp, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    return this.#do('scale', app, signal)
  }

  async processes(): Promise<readonly Process[]> {
    return []
  }

  async restart(): Promise<readonly Process[]> {
    return []
  }

  async run(): Promise<RunResult> {
    return { exitCode: 0, output: '', isCut: false }
  }

  async destroy(app: Pick<DesiredApp, 'id' | 'uuid'>, signal: AbortSignal): Promise<void> {
    await this.#do('destroy', app as DesiredApp, signal)
  }

  async apps(): Promise<readonly Pick<DesiredApp, 'id' | 'uuid'>[]> {
    return []
  }

  async nodes(_tags: Readonly<Record<string, string>>): Promise<number> {
    return 1
  }

  async *drift(): AsyncIterable<AppId> {}

  async close(): Promise<void> {}

  async #do(deed: Deed, app: DesiredApp, signal: AbortSignal): Promise<void> {
    this.asked.push({ deed, app })
    for (const wake of [...this.#waiting]) wake()
    await this.before(deed, app, signal)
    signal.throwIfAborted()
  }
}
