// The Namespace of an app: ours when it carries the app's uuid. Whoever else's it is, nothing in it is ever touched.

import type { Clock } from '#kit/clock.ts'
import type { KubeClient } from '#kube/client.ts'
import { KubeError } from '#kube/errors.ts'
import type { KubeObject } from '#kube/types.ts'
import type { Namespace } from '#kube/workload-types.ts'
import type { DesiredApp } from '../../domain/desired-app.ts'
import { ClusterError } from '../cluster.ts'
import { fieldManager } from './marks.ts'
import { namespaceOf, uuidOf } from './namespace.ts'
import { unlessMissing } from './refusals.ts'
import { collectionPath, namedPath } from './resources.ts'
import { settle, View } from './view.ts'

type Owner = Pick<DesiredApp, 'id' | 'uuid'>

/** How long Kubernetes may take to remove what is in it. */
const removalTimeout = 600_000

export async function findNamespace(client: KubeClient, app: Owner, signal: AbortSignal): Promise<Namespace | null> {
  return unlessMissing(client.get<Namespace>(namedPath('Namespace', undefined, app.id), { signal }))
}

export function isOwn(namespace: KubeObject, { uuid }: Owner): boolean {
  return uuidOf(namespace) === uuid
}

/** Makes it when it is missing: true. Throws ClusterError `taken` when it is not ours. */
export async function ensureNamespace(client: KubeClient, app: Owner, signal: AbortSignal): Promise<boolean> {
  const found = await findNamespace(client, app, signal)
  if (found !== null) {
    check(found, app)
    return false
  }
  try {
    // Not by apply, which would take one over that somebody made meanwhile.
    const options = { query: { fieldManager }, signal }
    await client.create(collectionPath('Namespace'), namespaceOf(app), options)
    return true
  } catch (error) {
    if (!(error instanceof KubeError && error.status === 409)) throw error
    const other = await findNamespace(client, app, signal)
    if (other === null) throw error
    check(other, app)
    return false
  }
}

/** Removes it with all that is in it, and waits for that. Leaves alone what is not ours. */
export async function removeNamespace(
  client: KubeClient,
  clock: Clock,
  app: Owner,
  signal: AbortSignal,
): Promise<void> {
  const found = await findNamespace(client, app, signal)
  if (found === null || !isOwn(found, app)) return
  const { uid } = found.metadata
  if (found.metadata.deletionTimestamp === undefined) {
    const body = { preconditions: { uid } }
    await unlessMissing(client.request('DELETE', namedPath('Namespace', undefined, app.id), { body, signal }))
  }
  await using view = new View<Namespace>({ client, kind: 'Namespace', fieldSelector: `metadata.name=${app.id}` })
  const deadline = clock.now() + removalTimeout
  await settle<void>([view] as readonly View<KubeObject>[], { clock, signal }, now => {
    const left = view.objects.get(app.id)
    if (left === undefined || left.metadata.uid !== uid) return { kind: 'done', value: undefined }
    if (now < deadline) return { kind: 'wait', until: deadline }
    const causes = (left.status?.conditions ?? []).filter(({ status }) => status === 'True')
    const cause = causes.map(({ message = '' }) => message).filter(Boolean)
    throw new ClusterError('failed', [`${app.id} is still being removed`, ...cause].join(': '))
  })
}

function check(namespace: Namespace, app: Owner): void {
  if (!isOwn(namespace, app)) {
    throw new ClusterError('taken', `a namespace with the name ${app.id} exists, and it is not this app's`)
  }
  if (namespace.metadata.deletionTimestamp !== undefined) {
    throw new ClusterError('failed', `${app.id} is still being removed`)
  }
}
