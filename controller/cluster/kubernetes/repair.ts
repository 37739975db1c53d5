// What an apply changed, in words.

import type { KubeClient } from '#kube/client.ts'
import type { KubeObject } from '#kube/types.ts'
import type { Applier } from './applier.ts'
import { unlessMissing } from './refusals.ts'
import { pathOf, titleOf } from './resources.ts'

/** Applies the objects and says which of them were not as they should be. */
export async function repairAll(
  client: KubeClient,
  applier: Applier,
  objects: readonly KubeObject[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const changes: string[] = []
  for (const object of objects) {
    const before = await unlessMissing(client.get(pathOf(object), { signal }))
    const after = await applier.apply(object, signal)
    if (before === null || before.metadata.uid !== after.metadata.uid) changes.push(`${titleOf(object)} was missing`)
    else if (contentOf(before) !== contentOf(after)) changes.push(`${titleOf(object)} was changed`)
  }
  return changes
}

/** All but what the API server keeps for itself, and what controllers report. */
function contentOf(object: KubeObject): string {
  const {
    metadata,
    status: _status,
    apiVersion: _apiVersion,
    kind: _kind,
    ...content
  } = object as KubeObject & {
    readonly status?: unknown
  }
  return JSON.stringify(sorted({ ...content, labels: metadata.labels, annotations: ownAnnotations(object) }))
}

/** The Deployment controller counts revisions in one. */
function ownAnnotations({ metadata }: KubeObject): Readonly<Record<string, string>> {
  const { 'deployment.kubernetes.io/revision': _, ...annotations } = metadata.annotations ?? {}
  return annotations
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, each]) => [key, sorted(each)]),
  )
}
