// Where Kubernetes objects come from: the API server (`kubernetes-source.ts`) or a directory (`manifest-source.ts`).

import type { Deployment, EndpointSlice, Ingress, IngressClass, Secret, Service } from '#kube/types.ts'
import type { Watcher, WatchState } from '#kube/watch.ts'
import type { Problem } from '../model/problem.ts'
import type { HearSecret } from './named-secrets.ts'

/** What to follow. Nothing is asked for that is switched off here. */
export interface SourceOptions {
  /** The router's own. */
  readonly namespace: string
  /** Follow Ingresses, IngressClasses and all Services; otherwise routable Services and the builder only. */
  readonly ingress: boolean
  /** The one namespace whose objects are followed; null: all. */
  readonly watchNamespace: string | null
  /** Kind of the object `deis-router` that carries the settings. */
  readonly workload: 'Deployment' | 'DaemonSet'
  /** One watch for each Secret by its name, or one for all that there are. */
  readonly secrets: 'named' | 'all'
  /** The Service whose addresses Ingresses get as their status; null: none. Looked at with `ingress` only. */
  readonly publishService: { readonly namespace: string; readonly name: string } | null
}

/** A Service that is followed by its name, since `services` does not tell of it. */
export interface NamedService {
  readonly namespace: string
  readonly name: string
  readonly services: Watcher<Service>
  /** Null: `endpointSlices` has them, or nobody needs them. */
  readonly endpointSlices: Watcher<EndpointSlice> | null
}

export interface Source {
  /** All Services, or those with the label `router.deis.io/routable: "true"`. */
  readonly services: Watcher<Service>
  readonly endpointSlices: Watcher<EndpointSlice>
  readonly namedServices: readonly NamedService[]
  /** The Deployment or DaemonSet `deis-router` of the router's own namespace: one object or none. */
  readonly workload: Watcher<Deployment>
  /** How `states` calls it. */
  readonly workloadResource: 'deployment' | 'daemonset'
  /** Null: switched off. */
  readonly ingresses: Watcher<Ingress> | null
  readonly ingressClasses: Watcher<IngressClass> | null
  /** One Secret by name: one object or none. */
  secret(namespace: string, name: string): Watcher<Secret>
  /** The same without a watch, where all are at hand: returns the way to stop; null: it takes a watch. */
  listenSecret(namespace: string, name: string, hear: HearSecret): (() => void) | null
  states(): readonly WatchState[]
  /** What of `states` the server refuses us (403), by resource. */
  refused(): ReadonlySet<string>
  /** What is wrong with the source itself: a manifest that is not YAML, a Secret that we may not read. */
  problems(): readonly Problem[]
}
