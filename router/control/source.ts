// Where Kubernetes objects come from: the API server (`kubernetes-source.ts`) or a directory (`manifest-source.ts`).

import type { Deployment, EndpointSlice, Secret, Service } from '#kube/types.ts'
import type { Watcher, WatchState } from '#kube/watch.ts'
import type { Problem } from '../model/problem.ts'

export interface Source {
  /** Services with the label `router.deis.io/routable: "true"`, all namespaces. */
  readonly services: Watcher<Service>
  readonly endpointSlices: Watcher<EndpointSlice>
  /** The Deployment `deis-router` of the router's own namespace: one object or none. */
  readonly deployment: Watcher<Deployment>
  /** One Secret by name: one object or none. */
  secret(namespace: string, name: string): Watcher<Secret>
  states(): readonly WatchState[]
  /** What is wrong with the source itself: a manifest that is not YAML, a Secret that we may not read. */
  problems(): readonly Problem[]
}
