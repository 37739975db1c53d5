// Waits for the Pod of a build to end, by a watch, while its log goes to the pusher. Nothing is asked for again but what
// says nothing by itself: why there is no Pod.

import type { Clock } from '#kit/clock.ts'
import { type KubeClient, resourcePath } from '#kube/client.ts'
import { ListWatch } from '#kube/list-watch.ts'
import type { KubeEvent, Pod } from '#kube/workload-types.ts'
import { BuildError } from '../strategy.ts'
import { podSelector } from './names.ts'
import { containerPhase, type Outcome, outcomeOf, patience, troubleOfJob } from './outcome.ts'
import { followLog } from './pod-log.ts'

export interface BuildPodOptions {
  readonly client: KubeClient
  readonly clock: Clock
  readonly namespace: string
  /** Of the Job. */
  readonly name: string
  /** Whose logs are followed, in the order in which they run. */
  readonly containers: readonly string[]
  readonly hear: (line: string) => void
  /** For the pusher, while nothing runs. */
  readonly tell: (text: string) => void
  readonly signal: AbortSignal
}

export interface Ended {
  /** Null: it ended well. */
  readonly error: BuildError | null
  readonly exitCode: number | null
}

/** Milliseconds: as good as for ever, and what a timer can hold. */
const longWait = 3_600_000
/** How long the rest of a log may take when its container has ended, milliseconds. */
const logGrace = 30_000

/** Throws the signal's reason when that aborts, and BuildError `lost` when the cluster lets nobody look. */
export async function awaitBuild(options: BuildPodOptions): Promise<Ended> {
  using build = new BuildPod(options)
  return await build.wait()
}

class BuildPod implements Disposable {
  readonly #options: BuildPodOptions
  readonly #stop = new AbortController()
  readonly #signal: AbortSignal
  readonly #watch: ListWatch<Pod>
  readonly #began: number
  #pod: Pod | null = null
  #seen = false
  #changed = Promise.withResolvers<void>()
  #logs: Promise<unknown> = Promise.resolve()
  #followed = 0
  #told: string | null = null
  #since = 0

  constructor(options: BuildPodOptions) {
    const { client, namespace, name, clock, signal } = options
    this.#options = options
    this.#signal = AbortSignal.any([signal, this.#stop.signal])
    this.#began = clock.now()
    this.#watch = new ListWatch<Pod>({
      ...{ client, namespace, apiVersion: 'v1', plural: 'pods', labelSelector: podSelector(name) },
      onState: () => this.#changed.resolve(),
    })
  }

  async wait(): Promise<Ended> {
    const { clock, signal } = this.#options
    void this.#follow()
    for (;;) {
      signal.throwIfAborted()
      this.#changed = Promise.withResolvers<void>()
      const { forbidden, lastError } = this.#watch.state
      if (forbidden) throw new BuildError('lost', `The build cannot be watched: ${lastError}`)
      const outcome = await this.#outcome()
      this.#followLogs()
      if (outcome.kind === 'done') return await this.#end({ error: null, exitCode: 0 })
      if (outcome.kind === 'failed') return await this.#end(outcome)
      const until = this.#waitUntil(outcome)
      const over = new AbortController()
      const waited = clock.delay(Math.max(0, until - clock.now()), AbortSignal.any([over.signal, signal]))
      await Promise.race([this.#changed.promise, waited])
      over.abort()
    }
  }

  [Symbol.dispose](): void {
    this.#stop.abort()
  }

  async #follow(): Promise<void> {
    for await (const change of this.#watch.changes(this.#signal)) {
      const pods = change.kind === 'reset' ? change.objects : [change.object]
      const [pod] = pods
      // There is one at most: a Job that may not try again.
      if (change.kind === 'delete' || pod === undefined) this.#pod = null
      else this.#pod = pod
      this.#seen ||= pod !== undefined
      this.#changed.resolve()
    }
  }

  async #outcome(): Promise<Outcome> {
    if (this.#pod !== null) return outcomeOf(this.#pod)
    if (this.#seen) {
      const error = new BuildError('lost', 'The build was removed from the cluster.')
      return { kind: 'failed', error, exitCode: null }
    }
    if (this.#options.clock.now() - this.#began < patience.pod)
      return { kind: 'waiting', reason: null, patience: patience.pod }
    const trouble = troubleOfJob(await this.#events())
    const text = trouble === null ? 'The cluster does not start the build.' : `The build cannot be started: ${trouble}`
    return { kind: 'failed', error: new BuildError('lost', text), exitCode: null }
  }

  /** Of the Job. */
  async #events(): Promise<readonly KubeEvent[]> {
    const { client, namespace, name, signal } = this.#options
    const path = resourcePath({ apiVersion: 'v1', plural: 'events', namespace })
    const query = { fieldSelector: `involvedObject.name=${name}`, limit: 100 }
    const found = await client.list<KubeEvent>(path, { query, signal }).catch(() => null)
    return found?.items ?? []
  }

  /** Throws when it has waited for long enough. */
  #waitUntil(outcome: Outcome): number {
    const { clock, tell } = this.#options
    if (outcome.kind !== 'waiting') {
      this.#told = null
      return clock.now() + longWait
    }
    const now = clock.now()
    if (outcome.reason === null) {
      const until = this.#began + outcome.patience
      // A Pod that is not there yet is judged elsewhere.
      if (this.#pod !== null && now >= until) throw new BuildError('lost', 'The build did not start in time.')
      return until
    }
    if (this.#told === null) {
      this.#since = now
      tell(outcome.reason)
    }
    this.#told = outcome.reason
    const until = this.#since + outcome.patience
    if (now >= until) throw new BuildError('lost', outcome.reason)
    return until
  }

  #followLogs(): void {
    const { client, clock, namespace, containers, hear } = this.#options
    const pod = this.#pod
    if (pod === null) return
    for (const container of containers.slice(this.#followed)) {
      if (containerPhase(pod, container) === 'waiting') return
      this.#followed++
      const hasEnded = (): boolean => this.#pod === null || containerPhase(this.#pod, container) === 'ended'
      const given = {
        client,
        clock,
        namespace,
        pod: pod.metadata.name,
        container,
        hear,
        hasEnded,
        signal: this.#signal,
      }
      this.#logs = this.#logs.then(() => followLog(given))
    }
  }

  async #end(ended: Ended): Promise<Ended> {
    const over = new AbortController()
    await Promise.race([this.#logs, this.#options.clock.delay(logGrace, AbortSignal.any([over.signal, this.#signal]))])
    over.abort()
    return ended
  }
}
