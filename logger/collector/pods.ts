// The pods of the node, as the API server tells of them: by one watch, and of each pod only what attribution needs.

import type { KubeObject } from '#kube/types.ts'
import type { Change } from '#kube/watch.ts'
import { type PodFacts, usedLabels } from './attribution.ts'

/** What is kept of an object as it comes. */
export function trimPod({ metadata }: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion, labels = {} } = metadata
  const used = usedLabels.flatMap(label => (labels[label] === undefined ? [] : [[label, labels[label]] as const]))
  return {
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      labels: Object.fromEntries(used),
    },
  }
}

export class PodBook {
  readonly #pods = new Map<string, PodFacts>()
  /** Pods that are no more; their files may be there for a while. */
  readonly #deleted = new Set<string>()

  /** By UID. */
  find(uid: string): PodFacts | null {
    return this.#pods.get(uid) ?? null
  }

  apply(change: Change<KubeObject>): void {
    switch (change.kind) {
      case 'reset':
        for (const uid of this.#pods.keys()) this.#deleted.add(uid)
        for (const pod of change.objects) this.#upsert(pod)
        return
      case 'upsert':
        this.#upsert(change.object)
        return
      case 'delete':
        if (change.object.metadata.uid !== undefined) this.#deleted.add(change.object.metadata.uid)
    }
  }

  /** `isThere`: whether there are files of a pod. Of those that are no more and have none nothing is kept. */
  sweep(isThere: (uid: string) => boolean): void {
    for (const uid of this.#deleted) {
      if (isThere(uid)) continue
      this.#deleted.delete(uid)
      this.#pods.delete(uid)
    }
  }

  #upsert({ metadata }: KubeObject): void {
    const { uid, name, namespace = '', labels = {} } = metadata
    if (uid === undefined) return
    this.#deleted.delete(uid)
    const known = this.#pods.get(uid)
    const isSame = known !== undefined && usedLabels.every(label => known.labels[label] === labels[label])
    if (!isSame) this.#pods.set(uid, { namespace, name, uid, labels })
  }
}
