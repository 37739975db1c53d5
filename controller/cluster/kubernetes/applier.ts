// Makes objects as planned, by server-side apply, and removes those that are planned no more.

import type { KubeClient } from '#kube/client.ts'
import { KubeError } from '#kube/errors.ts'
import type { KubeObject, ManagedFields } from '#kube/types.ts'
import type { AppDeployment } from '#kube/workload-types.ts'
import type { AppId } from '../../domain/app.ts'
import { fieldManager, managedSelector } from './marks.ts'
import { unlessMissing } from './refusals.ts'
import { collectionPath, pathOf, titleOf } from './resources.ts'

/** Holds a Deployment's `replicas` between us and an autoscaler. */
const replicasManager = `${fieldManager}-replicas`

/** Kinds of which the plan may name more or fewer from one time to the next; dependents first. */
const prunedKinds = [
  'HorizontalPodAutoscaler',
  'Deployment',
  'RoleBinding',
  'Role',
  'Secret',
  'ResourceQuota',
  'NetworkPolicy',
] as const

export type PrunedKind = (typeof prunedKinds)[number]

/** Told of what we do ourselves, so that it is not taken for the doing of others. */
export interface Witness {
  applied(object: KubeObject): void
  removed(object: KubeObject): void
}

export interface PruneOptions {
  readonly signal: AbortSignal
  /** Absent: all of them. */
  readonly kinds?: readonly PrunedKind[]
  /** Objects that stay although the plan does not name them. */
  readonly keep?: (object: KubeObject) => boolean
}

export class Applier {
  readonly #client: KubeClient
  readonly #witness: Witness

  constructor(client: KubeClient, witness: Witness) {
    this.#client = client
    this.#witness = witness
  }

  /** One after the other: each may need those before it. Returns them as they are then. */
  async applyAll(objects: readonly KubeObject[], signal: AbortSignal): Promise<readonly KubeObject[]> {
    const applied: KubeObject[] = []
    for (const object of objects) applied.push(await this.apply(object, signal))
    return applied
  }

  async apply(object: KubeObject, signal: AbortSignal): Promise<KubeObject> {
    if (leavesReplicas(object)) await this.#handOverReplicas(object, signal)
    const applied = await this.#apply(object, signal).catch(async (error: unknown) => {
      // What others added may contradict what we set, such as `value` beside our `valueFrom`. Then ours alone remains.
      if (!(error instanceof KubeError && error.status === 422)) throw error
      const live = await unlessMissing(this.#client.get(pathOf(object), { signal }))
      if (live === null) throw error
      await this.#replace(object, live, signal)
      return this.#apply(object, signal)
    })
    this.#witness.applied(applied)
    return applied
  }

  /** Removes what is in the app's namespace, made by us, and not in `planned`. Returns what that was. */
  async prune(app: AppId, planned: readonly KubeObject[], options: PruneOptions): Promise<readonly string[]> {
    const { signal, kinds = prunedKinds, keep = () => false } = options
    const wanted = new Set(planned.map(titleOf))
    const removed: string[] = []
    for (const kind of prunedKinds.filter(each => kinds.includes(each))) {
      for (const object of await this.#ours(kind, app, signal)) {
        const title = titleOf(object)
        if (wanted.has(title) || keep(object)) continue
        if (await this.remove(object, signal)) removed.push(title)
      }
    }
    return removed
  }

  /** False: it was gone, or another one has its name by now. */
  async remove(object: KubeObject, signal: AbortSignal): Promise<boolean> {
    const { uid } = object.metadata
    this.#witness.removed(object)
    try {
      await this.#client.request('DELETE', pathOf(object), { body: { preconditions: { uid } }, signal })
      return true
    } catch (error) {
      if (error instanceof KubeError && (error.status === 404 || error.status === 409)) return false
      throw error
    }
  }

  #apply(object: KubeObject, signal: AbortSignal): Promise<KubeObject> {
    return this.#client.apply(pathOf(object), object, { fieldManager, force: true, signal })
  }

  #replace(object: KubeObject, live: KubeObject, signal: AbortSignal): Promise<KubeObject> {
    const replicas = leavesReplicas(object) ? (live as AppDeployment).spec?.replicas : undefined
    const whole = replicas === undefined ? object : withReplicas(object as AppDeployment, replicas)
    return this.#client.update(pathOf(object), whole, { query: { fieldManager }, signal })
  }

  /**
   * A field that its last owner leaves out goes back to its default: one process, whatever there was. So somebody else
   * owns it from now on, with the value that it has; an autoscaler sets it as it likes.
   */
  async #handOverReplicas(object: AppDeployment, signal: AbortSignal): Promise<void> {
    const path = pathOf(object)
    const live = await unlessMissing(this.#client.get<AppDeployment>(path, { signal }))
    if (live === null || !ownsReplicas(live)) return
    const { apiVersion, kind, metadata } = object
    const { name, namespace } = metadata
    // None at all would keep the autoscaler off.
    const replicas = Math.max(1, live.spec?.replicas ?? 1)
    const body = { apiVersion, kind, metadata: { name, namespace }, spec: { replicas } } as KubeObject
    await this.#client.apply(path, body, { fieldManager: replicasManager, force: true, signal })
  }

  async #ours(kind: PrunedKind, namespace: string, signal: AbortSignal): Promise<readonly KubeObject[]> {
    const query = { labelSelector: managedSelector }
    const list = await this.#client.list(collectionPath(kind, namespace), { query, signal })
    const items = list.items.map(item => ({ ...item, kind }))
    return items.filter(item => ownEntry(item) !== null && item.metadata.deletionTimestamp === undefined)
  }
}

/** What the API server says of the fields that we applied; null when others took all of them, or it was never ours. */
export function ownEntry({ metadata }: KubeObject): ManagedFields | null {
  const isOurs = ({ manager, operation }: ManagedFields) => manager === fieldManager && operation === 'Apply'
  return metadata.managedFields?.find(isOurs) ?? null
}

function leavesReplicas(object: KubeObject): object is AppDeployment {
  return object.kind === 'Deployment' && (object as AppDeployment).spec?.replicas === undefined
}

function ownsReplicas(live: AppDeployment): boolean {
  const fields = ownEntry(live)?.fieldsV1 as { readonly 'f:spec'?: Readonly<Record<string, unknown>> } | undefined
  return fields?.['f:spec']?.['f:replicas'] !== undefined
}

function withReplicas(object: AppDeployment, replicas: number): KubeObject {
  return { ...object, spec: { ...object.spec, replicas } } as KubeObject
}
