// Waits until the Deployments of an app are as applied: all their processes new and ready, former ones gone or going
// (controller contract, section 8). Fails as soon as it is clear that they will not be, and says why.

import type { Clock } from '#kit/clock.ts'
import type { KubeClient } from '#kube/client.ts'
import type { KubeObject } from '#kube/types.ts'
import type { AppDeployment, Pod } from '#kube/workload-types.ts'
import type { AppId } from '../../domain/app.ts'
import { ClusterError, type Progress } from '../cluster.ts'
import { eventsOf, explain } from './explain.ts'
import { managedSelector } from './marks.ts'
import { versionOf } from './process-state.ts'
import { isCreating, isPulling, type Trouble, troubleOfDeployment, troubleOfEvents, troubleOfPod } from './trouble.ts'
import { settle, type Verdict, View } from './view.ts'

/** For troubles that may pass when former processes leave, or a node comes. */
const patience = 10_000
/** Once, when all that is missing is an image on its way. */
const slowPull = 600_000

export interface RolloutOptions {
  readonly client: KubeClient
  readonly clock: Clock
  readonly app: AppId
  /** As the API server answered when they were applied. */
  readonly deployments: readonly AppDeployment[]
  readonly version: number
  /** Milliseconds. */
  readonly timeout: number
  readonly signal: AbortSignal
  readonly onProgress: Progress
}

export async function awaitRollout(options: RolloutOptions): Promise<void> {
  const { client, clock, app, signal } = options
  if (options.deployments.length === 0) return
  const scope = { client, namespace: app, labelSelector: managedSelector }
  await using deployments = new View<AppDeployment>({ ...scope, kind: 'Deployment' })
  await using pods = new View<Pod>({ ...scope, kind: 'Pod' })
  const rollout = new Rollout(options, deployments.objects, pods.objects)
  await settle<void>([deployments, pods] as readonly View<KubeObject>[], { clock, signal }, now => rollout.judge(now))
}

/**
 * How long a rollout may take, seconds: for each batch the timeout and the longest time for which nobody asks whether a
 * process is ready.
 */
export function rolloutTime(deployments: readonly AppDeployment[], timeout: number): number {
  const times = deployments.map(({ spec }) => {
    const count = spec?.replicas ?? 1
    const batches = Math.max(1, Math.ceil(count / (spec?.strategy?.rollingUpdate?.maxSurge ?? 1)))
    const delays = (spec?.template.spec.containers ?? []).flatMap(({ livenessProbe, readinessProbe }) => [
      livenessProbe?.initialDelaySeconds ?? 0,
      readinessProbe?.initialDelaySeconds ?? 0,
    ])
    return batches * (timeout + Math.max(0, ...delays))
  })
  return Math.max(timeout, ...times)
}

class Rollout {
  readonly #options: RolloutOptions
  readonly #deployments: ReadonlyMap<string, AppDeployment>
  readonly #pods: ReadonlyMap<string, Pod>
  /** When each trouble that may pass was first seen. */
  #since = new Map<string, number>()
  #deadline: number
  #isExtended = false
  #told = ''

  constructor(
    options: RolloutOptions,
    deployments: ReadonlyMap<string, AppDeployment>,
    pods: ReadonlyMap<string, Pod>,
  ) {
    this.#options = options
    this.#deployments = deployments
    this.#pods = pods
    this.#deadline = options.clock.now() + options.timeout
  }

  async judge(now: number): Promise<Verdict<void>> {
    const current = this.#options.deployments.map(({ metadata: { name, generation = 0 } }) => {
      const deployment = this.#deployments.get(name)
      if (deployment === undefined) throw new ClusterError('failed', `${name} was removed by somebody`)
      return { deployment, generation }
    })
    this.#tell(current.map(({ deployment }) => deployment))
    const waiting = current.filter(({ deployment, generation }) => !isComplete(deployment, generation))
    if (waiting.length === 0) return { kind: 'done', value: undefined }
    const until = await this.#lookForTrouble(
      waiting.map(({ deployment }) => deployment),
      now,
    )
    if (now < this.#deadline) return { kind: 'wait', until: Math.min(until, this.#deadline) }
    return this.#runOutOfTime(waiting.map(({ deployment }) => deployment))
  }

  /** Throws when there is trouble that does not pass. Returns when to look again. */
  async #lookForTrouble(waiting: readonly AppDeployment[], now: number): Promise<number> {
    const since = new Map<string, number>()
    let until = Number.POSITIVE_INFINITY
    for (const { id, trouble } of this.#troubles(waiting)) {
      if (trouble.passes === 'never') await this.#fail(trouble)
      if (trouble.passes === 'late') continue
      const first = this.#since.get(id) ?? now
      if (now - first >= patience) await this.#fail(trouble)
      since.set(id, first)
      until = Math.min(until, first + patience)
    }
    this.#since = since
    return until
  }

  #troubles(waiting: readonly AppDeployment[]): { readonly id: string; readonly trouble: Trouble }[] {
    const found: { readonly id: string; readonly trouble: Trouble }[] = []
    const add = (id: string, trouble: Trouble | null): void => {
      if (trouble !== null) found.push({ id, trouble })
    }
    for (const pod of this.#podsOf(waiting)) add(`pod ${pod.metadata.name}`, troubleOfPod(pod))
    for (const deployment of waiting) add(`deployment ${deployment.metadata.name}`, troubleOfDeployment(deployment))
    return found
  }

  /** Of the release that is rolled out. */
  #podsOf(deployments: readonly AppDeployment[]): readonly Pod[] {
    const types = new Set(deployments.map(({ metadata }) => metadata.labels?.type))
    return [...this.#pods.values()].filter(
      pod => versionOf(pod) === this.#options.version && types.has(pod.metadata.labels?.type),
    )
  }

  async #runOutOfTime(waiting: readonly AppDeployment[]): Promise<Verdict<void>> {
    const { client, signal, timeout } = this.#options
    const pods = this.#podsOf(waiting)
    const creating = pods.filter(isCreating).slice(0, 3)
    if (!this.#isExtended && creating.length > 0) {
      const pulls = await Promise.all(creating.map(async pod => isPulling(await eventsOf(client, pod, signal))))
      if (pulls.some(Boolean)) {
        this.#isExtended = true
        this.#deadline += slowPull
        this.#options.onProgress('the image is still being fetched: waiting 10 minutes more')
        return { kind: 'wait', until: this.#deadline }
      }
    }
    const [known] = this.#troubles(waiting)
    const unready = pods.find(pod => pod.status?.containerStatuses?.[0]?.ready !== true)
    const trouble =
      known?.trouble ??
      (unready === undefined ? null : troubleOfEvents(unready, await eventsOf(client, unready, signal)))
    const seconds = Math.round((timeout + (this.#isExtended ? slowPull : 0)) / 1000)
    const names = waiting.map(({ metadata }) => metadata.name).join(', ')
    const cause = trouble === null ? '' : `: ${await explain(client, this.#options.app, trouble, signal)}`
    throw new ClusterError('failed', `${names} not ready within ${seconds} s${cause}`)
  }

  async #fail(trouble: Trouble): Promise<never> {
    const { client, app, signal } = this.#options
    throw new ClusterError('failed', await explain(client, app, trouble, signal))
  }

  #tell(deployments: readonly AppDeployment[]): void {
    const counts = deployments.map(deployment => {
      const { updatedReplicas = 0, readyReplicas = 0 } = isObserved(deployment) ? (deployment.status ?? {}) : {}
      const type = deployment.metadata.labels?.type ?? ''
      return `${type} ${Math.min(updatedReplicas, readyReplicas)}/${wantedOf(deployment)}`
    })
    const text = `ready: ${counts.join(', ')}`
    if (text !== this.#told) this.#options.onProgress(text)
    this.#told = text
  }
}

/** `generation`: of the apply that is waited for. */
function isComplete(deployment: AppDeployment, generation: number): boolean {
  if (!isObserved(deployment) || (deployment.metadata.generation ?? 0) < generation) return false
  const { replicas = 0, updatedReplicas = 0, readyReplicas = 0, availableReplicas = 0 } = deployment.status ?? {}
  return [replicas, updatedReplicas, readyReplicas, availableReplicas].every(count => count === wantedOf(deployment))
}

/** Its status is about its present spec. */
function isObserved({ metadata, status }: AppDeployment): boolean {
  return (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0)
}

function wantedOf({ spec }: AppDeployment): number {
  return spec?.replicas ?? 1
}
