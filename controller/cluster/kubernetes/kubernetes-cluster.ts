// Apps in a Kubernetes cluster. What an app should be there is said by the pure `plan`; this is what makes it so, waits
// for it, and looks. It keeps nothing that a restart would lose.

import { randomInt } from 'node:crypto'
import { type Clock, systemClock } from '#kit/clock.ts'
import type { KubeClient } from '#kube/client.ts'
import type { KubeObject, Secret } from '#kube/types.ts'
import type { AppDeployment, Namespace, Pod } from '#kube/workload-types.ts'
import { type AppId, buildKind } from '../../domain/app.ts'
import type { DesiredApp, DesiredRelease } from '../../domain/desired-app.ts'
import { type Cluster, ClusterError, type DeployOptions, type Process, type RunResult } from '../cluster.ts'
import { Applier } from './applier.ts'
import { OwnDeeds, watchDrift } from './drift.ts'
import { envSecretName } from './env-secret.ts'
import { managedSelector, oneOffType, selector } from './marks.ts'
import { namespaceOf, uuidOf } from './namespace.ts'
import { runToEnd } from './one-off.ts'
import { ensureNamespace, findNamespace, isOwn, removeNamespace } from './own-namespace.ts'
import { plan, routingPlan, workloadPlan } from './plan.ts'
import { defaultPlanOptions, type PlanOptions } from './plan-options.ts'
import { oneOffPodOf } from './pod-template.ts'
import { processesOf, processOf, typeOf, versionOf } from './process-state.ts'
import { inClusterTerms, unlessMissing } from './refusals.ts'
import { repairAll } from './repair.ts'
import { collectionPath, namedPath } from './resources.ts'
import { awaitRollout, rolloutTime } from './rollout.ts'
import { storageSecretName } from './storage-secret.ts'
import { tuningOf } from './tuning.ts'
import { settle, View } from './view.ts'

const restartTimeout = 300_000
const runTimeout = 1_200_000
const pageSize = 500
const shortNameLetters = 'abcdefghijklmnopqrstuvwxyz0123456789'

export interface KubernetesClusterOptions {
  /** Stays the caller's to close. */
  readonly client: KubeClient
  /** Where the platform's own Secrets are. */
  readonly platformNamespace: string
  readonly plan?: Partial<Omit<PlanOptions, 'nodes' | 'storageCredentials'>>
  readonly clock?: Clock
}

export class KubernetesCluster implements Cluster {
  readonly kind = 'kubernetes'
  readonly #client: KubeClient
  readonly #options: PlanOptions
  readonly #platformNamespace: string
  readonly #clock: Clock
  readonly #deeds = new OwnDeeds()
  readonly #applier: Applier
  readonly #closing = new AbortController()

  constructor({ client, platformNamespace, plan: options = {}, clock = systemClock }: KubernetesClusterOptions) {
    this.#client = client
    this.#options = { ...defaultPlanOptions, ...options }
    this.#platformNamespace = platformNamespace
    this.#clock = clock
    this.#applier = new Applier(client, this.#deeds)
  }

  check(signal: AbortSignal): Promise<void> {
    return this.#do(signal, async open => {
      await this.#client.list(collectionPath('Namespace'), { query: { limit: 1 }, signal: open })
    })
  }

  create(app: DesiredApp, signal: AbortSignal): Promise<void> {
    return this.#do(signal, async open => {
      const options = await this.#planOptions(app, open)
      await this.#ensureNamespace(app, open)
      await this.#applier.applyAll(
        [namespaceOf(app), ...(app.release === null ? workloadPlan(app, options) : []), ...routingPlan(app, options)],
        open,
      )
    })
  }

  publish(app: DesiredApp, signal: AbortSignal): Promise<void> {
    return this.#do(signal, async open => {
      const options = await this.#planOptions(app, open)
      await this.#ensureNamespace(app, open)
      await this.#publish(app, options, open)
    })
  }

  deploy(app: DesiredApp, { signal, onProgress }: DeployOptions): Promise<void> {
    return this.#do(signal, async open => {
      await this.#rollOut(app, { signal: open, onProgress })
      await this.#removeFormerPods(app, open)
    })
  }

  scale(app: DesiredApp, { signal, onProgress }: DeployOptions): Promise<void> {
    return this.#do(signal, open => this.#rollOut(app, { signal: open, onProgress }))
  }

  repair(app: DesiredApp, signal: AbortSignal): Promise<readonly string[]> {
    return this.#do(signal, async open => {
      const options = await this.#planOptions(app, open)
      const isNew = await this.#ensureNamespace(app, open)
      const planned = plan(app, options)
      const changes = await repairAll(this.#client, this.#applier, planned, open)
      const removed = await this.#prune(app, planned, open)
      await this.#removeEndedOneOffs(app.id, open)
      return [
        ...(isNew ? [`Namespace ${app.id} was missing`] : []),
        ...changes,
        ...removed.map(title => `${title} was left over`),
      ]
    })
  }

  processes(app: AppId, signal: AbortSignal): Promise<readonly Process[]> {
    return this.#do(signal, async open => processesOf(await this.#pods(app, open), this.#clock.wallClock()))
  }

  restart(app: AppId, names: readonly string[], signal: AbortSignal): Promise<readonly Process[]> {
    return this.#do(signal, async open => {
      const options = { client: this.#client, namespace: app, labelSelector: podSelector(app) }
      await using view = new View<Pod>({ ...options, kind: 'Pod' })
      const scope = { clock: this.#clock, signal: open }
      const views = [view] as readonly View<KubeObject>[]
      await settle<void>(views, scope, () => ({ kind: 'done', value: undefined }))
      const deadline = this.#clock.now() + restartTimeout
      const before = new Map(view.objects)
      const chosen = [...before.values()].filter(pod => names.includes(pod.metadata.name) && typeOf(pod) !== oneOffType)
      const results = await Promise.all(
        chosen.map(async pod => ({ pod, done: await this.#applier.remove({ ...pod, kind: 'Pod' }, open) })),
      )
      const missing = new Map<string, number>()
      for (const { pod, done } of results) if (done) missing.set(typeOf(pod), (missing.get(typeOf(pod)) ?? 0) + 1)
      return await settle<readonly Process[]>(views, scope, now => {
        const wallClock = this.#clock.wallClock()
        const fresh = [...view.objects.values()].filter(pod => !before.has(pod.metadata.name))
        const up = processesOf(fresh, wallClock).filter(({ state }) => state === 'up')
        const isEnough = [...missing].every(([type, count]) => up.filter(each => each.type === type).length >= count)
        if (isEnough) return { kind: 'done', value: up.filter(({ type }) => missing.has(type)) }
        if (now < deadline) return { kind: 'wait', until: deadline }
        const waiting = fresh.map(pod => processOf(pod, wallClock)).filter(({ state }) => state !== 'up')
        const states = waiting.map(({ name, state }) => `${name} is ${state}`).join(', ')
        throw new ClusterError('failed', `no new processes within 5 minutes${states === '' ? '' : `: ${states}`}`)
      })
    })
  }

  run(app: DesiredApp, command: string, signal: AbortSignal): Promise<RunResult> {
    return this.#do(signal, async open => {
      const release = releaseOf(app)
      const options = await this.#planOptions(app, open)
      await this.#ensureNamespace(app, open)
      const needs = workloadPlan(app, options).filter(({ kind }) => kind === 'Secret')
      await this.#applier.applyAll(needs, open)
      const name = `${app.id}-${oneOffType}-${shortName()}`
      const pod = oneOffPodOf(app, release, name, command, runTimeout / 1000, options)
      return runToEnd(pod, { client: this.#client, clock: this.#clock, limit: runTimeout, signal: open })
    })
  }

  destroy(app: Pick<DesiredApp, 'id' | 'uuid'>, signal: AbortSignal): Promise<void> {
    return this.#do(signal, async open => {
      const found = await findNamespace(this.#client, app, open)
      if (found === null || !isOwn(found, app)) return
      this.#deeds.destroyed(app.id)
      await removeNamespace(this.#client, this.#clock, app, open)
    })
  }

  apps(signal: AbortSignal): Promise<readonly Pick<DesiredApp, 'id' | 'uuid'>[]> {
    return this.#do(signal, async open => {
      const namespaces = await this.#list<Namespace>('Namespace', undefined, managedSelector, open)
      return namespaces.flatMap(namespace => {
        const uuid = uuidOf(namespace)
        // Made by us, and so named by the rule for apps.
        return uuid === null ? [] : [{ id: namespace.metadata.name as AppId, uuid }]
      })
    })
  }

  nodes(tags: Readonly<Record<string, string>>, signal: AbortSignal): Promise<number> {
    return this.#do(signal, open => this.#countNodes(tags, open))
  }

  drift(signal: AbortSignal): AsyncIterable<AppId> {
    const open = AbortSignal.any([signal, this.#closing.signal])
    return watchDrift({ client: this.#client, clock: this.#clock, deeds: this.#deeds }, open)
  }

  async close(): Promise<void> {
    this.#closing.abort(new ClusterError('unreachable', 'the controller is shutting down'))
  }

  #do<T>(signal: AbortSignal, call: (open: AbortSignal) => Promise<T>): Promise<T> {
    return inClusterTerms(() => call(AbortSignal.any([signal, this.#closing.signal])))
  }

  /** Everything, up to traffic going to the new processes and what is planned no more being gone. */
  async #rollOut(app: DesiredApp, { signal, onProgress }: DeployOptions): Promise<void> {
    const release = releaseOf(app)
    const options = await this.#planOptions(app, signal)
    await this.#ensureNamespace(app, signal)
    const workload = workloadPlan(app, options)
    const applied = await this.#applier.applyAll(workload, signal)
    const deployments = applied.filter(isDeployment)
    const seconds = rolloutTime(deployments, tuningOf(release.config, options).timeout)
    await awaitRollout({
      client: this.#client,
      clock: this.#clock,
      app: app.id,
      deployments,
      version: release.version,
      timeout: seconds * 1000,
      signal,
      onProgress,
    })
    await this.#publish(app, options, signal)
    await this.#prune(app, plan(app, options), signal)
  }

  async #publish(app: DesiredApp, options: PlanOptions, signal: AbortSignal): Promise<void> {
    const routing = routingPlan(app, options)
    await this.#applier.applyAll(routing, signal)
    const keep = ({ kind, metadata }: KubeObject): boolean => kind === 'Secret' && !metadata.name.endsWith('-cert')
    await this.#applier.prune(app.id, routing, { signal, kinds: ['RoleBinding', 'Role', 'Secret'], keep })
  }

  /** The environment of a former release stays as long as a ReplicaSet may start a Pod with it. */
  async #prune(app: DesiredApp, planned: readonly KubeObject[], signal: AbortSignal): Promise<readonly string[]> {
    const sets = await this.#list<KubeObject>('ReplicaSet', app.id, podSelector(app.id), signal)
    const versions = new Set(sets.map(versionOf))
    const keep = (object: KubeObject): boolean => {
      const version = versionOf(object)
      if (object.kind !== 'Secret' || version === null) return false
      return object.metadata.name === envSecretName(app.id, version) && versions.has(version)
    }
    return this.#applier.prune(app.id, planned, { signal, keep })
  }

  async #removeFormerPods(app: DesiredApp, signal: AbortSignal): Promise<void> {
    const { version } = releaseOf(app)
    const pods = await this.#pods(app.id, signal)
    const former = pods.filter(pod => versionOf(pod) !== version && pod.metadata.deletionTimestamp === undefined)
    await Promise.all(former.map(pod => this.#applier.remove({ ...pod, kind: 'Pod' }, signal)))
  }

  /** Of a controller that died before it could remove them. */
  async #removeEndedOneOffs(app: AppId, signal: AbortSignal): Promise<void> {
    const before = this.#clock.wallClock() - runTimeout
    const ended = (await this.#pods(app, signal)).filter(
      // A process type may be called `run` too.
      pod => pod.spec?.restartPolicy === 'Never' && Date.parse(pod.metadata.creationTimestamp ?? '') < before,
    )
    await Promise.all(ended.map(pod => this.#applier.remove({ ...pod, kind: 'Pod' }, signal)))
  }

  async #ensureNamespace(app: DesiredApp, signal: AbortSignal): Promise<boolean> {
    const isNew = await ensureNamespace(this.#client, app, signal)
    this.#deeds.created(app.id)
    return isNew
  }

  async #planOptions({ release }: DesiredApp, signal: AbortSignal): Promise<PlanOptions> {
    if (release === null) return this.#options
    const isSlug = buildKind(release.build) === 'slug'
    const [nodes, storageCredentials] = await Promise.all([
      this.#countNodes(release.config.tags, signal),
      isSlug ? this.#storageCredentials(signal) : null,
    ])
    return { ...this.#options, nodes, storageCredentials }
  }

  async #storageCredentials(signal: AbortSignal): Promise<Readonly<Record<string, string>> | null> {
    const path = namedPath('Secret', this.#platformNamespace, storageSecretName)
    return (await unlessMissing(this.#client.get<Secret>(path, { signal })))?.data ?? null
  }

  async #countNodes(tags: Readonly<Record<string, string>>, signal: AbortSignal): Promise<number> {
    return (await this.#list('Node', undefined, selector(tags), signal)).length
  }

  #pods(app: AppId, signal: AbortSignal): Promise<readonly Pod[]> {
    return this.#list<Pod>('Pod', app, podSelector(app), signal)
  }

  async #list<T extends KubeObject>(
    kind: string,
    namespace: string | undefined,
    labelSelector: string,
    signal: AbortSignal,
  ): Promise<readonly T[]> {
    const path = collectionPath(kind, namespace)
    const items: T[] = []
    let next: string | undefined
    do {
      const query = { labelSelector, limit: pageSize, continue: next }
      const page = await this.#client.list<T>(path, { query, signal })
      items.push(...page.items)
      next = page.metadata.continue || undefined
    } while (next !== undefined)
    return items
  }
}

function releaseOf({ id, release }: DesiredApp): DesiredRelease {
  if (release === null) throw new ClusterError('failed', `${id} has no release that could run`)
  return release
}

function podSelector(app: AppId): string {
  return `app=${app},${managedSelector}`
}

function isDeployment(object: KubeObject): object is AppDeployment {
  return object.kind === 'Deployment'
}

function shortName(): string {
  return Array.from({ length: 5 }, () => shortNameLetters[randomInt(shortNameLetters.length)]).join('')
}
