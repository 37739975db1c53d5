// Kubernetes objects from the API server: one watch for each collection that is switched on, and one for each Secret by its
// name, so that a Role with `resourceNames` is all that a Secret takes. List and watch are the only verbs.

import { KubeClient } from '#kube/client.ts'
import { ListWatch, type ListWatchOptions } from '#kube/list-watch.ts'
import type { Deployment, EndpointSlice, Ingress, IngressClass, KubeObject, Secret, Service } from '#kube/types.ts'
import type { Change, Watcher, WatchState } from '#kube/watch.ts'
import type { ObjectRef, Problem } from '../model/problem.ts'
import { type HearSecret, NamedSecrets } from './named-secrets.ts'
import type { NamedService, Source, SourceOptions } from './source.ts'
import {
  trimEndpointSlice,
  trimIngress,
  trimIngressClass,
  trimPublishService,
  trimSecret,
  trimService,
  trimWorkload,
} from './trim.ts'

export interface KubernetesSourceOptions extends SourceOptions {
  readonly client: KubeClient
}

/** What to say when a watch is refused. */
interface Refusal {
  readonly object: ObjectRef
  /** Names the rule that is missing. */
  readonly message: string
}

/** Types that certificates are never in, some of them large and many. */
const otherSecrets = [
  'helm.sh/release.v1',
  'kubernetes.io/service-account-token',
  'kubernetes.io/dockerconfigjson',
  'kubernetes.io/dockercfg',
  'kubernetes.io/basic-auth',
  'kubernetes.io/ssh-auth',
  'bootstrap.kubernetes.io/token',
]

export class KubernetesSource implements Source, AsyncDisposable {
  readonly services: ListWatch<Service>
  readonly endpointSlices: ListWatch<EndpointSlice>
  readonly namedServices: readonly NamedService[]
  readonly workload: ListWatch<Deployment>
  readonly workloadResource: 'deployment' | 'daemonset'
  readonly ingresses: ListWatch<Ingress> | null
  readonly ingressClasses: ListWatch<IngressClass> | null
  readonly #client: KubeClient
  readonly #options: SourceOptions
  /** All watches; that of a Secret while somebody follows it. */
  readonly #watches = new Map<Pick<ListWatch<Secret>, 'state'>, Refusal>()
  readonly #allSecrets: ListWatch<Secret> | null
  readonly #named = new NamedSecrets()
  readonly #stop = new AbortController()
  #following: Promise<void> | null = null

  /** `kubeconfig` null: as the service account of our pod. Throws StartupError 64; connects to nothing yet. */
  static async open(kubeconfig: string | null, options: SourceOptions): Promise<KubernetesSource> {
    const client = kubeconfig === null ? await KubeClient.inCluster() : await KubeClient.fromKubeconfig(kubeconfig)
    return new KubernetesSource({ ...options, client })
  }

  /** Takes `client` over: disposing closes it. */
  constructor({ client, ...options }: KubernetesSourceOptions) {
    this.#client = client
    this.#options = options
    const { namespace, ingress, workload, secrets } = options
    this.services = this.#watchScope<Service>({
      apiVersion: 'v1',
      plural: 'services',
      ...(!ingress && { labelSelector: 'router.deis.io/routable=true' }),
      transform: service => (this.#isPublished(service) ? trimPublishService(service) : trimService(service)),
    })
    this.endpointSlices = this.#watchScope<EndpointSlice>({
      apiVersion: 'discovery.k8s.io/v1',
      plural: 'endpointslices',
      labelSelector: 'kubernetes.io/service-name',
      transform: trimEndpointSlice,
    })
    const plural = workload === 'Deployment' ? 'deployments' : 'daemonsets'
    this.workloadResource = workload === 'Deployment' ? 'deployment' : 'daemonset'
    this.workload = this.#watch<Deployment>(
      {
        apiVersion: 'apps/v1',
        plural,
        resource: this.workloadResource,
        namespace,
        fieldSelector: 'metadata.name=deis-router',
        transform: trimWorkload,
      },
      { kind: workload, namespace, name: 'deis-router' },
      `we may not read it: a Role in ${namespace} must allow list and watch on ${plural}`,
    )
    this.ingresses = ingress
      ? this.#watchScope<Ingress>({ apiVersion: 'networking.k8s.io/v1', plural: 'ingresses', transform: trimIngress })
      : null
    this.ingressClasses = ingress
      ? this.#watch<IngressClass>(
          { apiVersion: 'networking.k8s.io/v1', plural: 'ingressclasses', transform: trimIngressClass },
          { kind: 'ClusterRole', namespace: '', name: 'deis-router' },
          'we may not read ingressclasses, and serve no Ingress that names one: it must allow list and watch',
        )
      : null
    this.namedServices = this.#namedServices()
    this.#allSecrets =
      secrets === 'all'
        ? this.#watchScope<Secret>({
            apiVersion: 'v1',
            plural: 'secrets',
            fieldSelector: otherSecrets.map(type => `type!=${type}`).join(','),
            transform: trimSecret,
          })
        : null
  }

  secret(namespace: string, name: string): Watcher<Secret> {
    if (this.#areKnown(namespace)) return this.#named.watcher(namespace, name)
    return { changes: signal => this.#followSecret(namespace, name, signal) }
  }

  listenSecret(namespace: string, name: string, hear: HearSecret): (() => void) | null {
    return this.#areKnown(namespace) ? this.#named.listen(namespace, name, hear) : null
  }

  states(): readonly WatchState[] {
    return Array.from(this.#watches.keys(), ({ state: { forbidden: _, ...state } }) => state)
  }

  refused(): ReadonlySet<string> {
    const refused = [...this.#watches.keys()].filter(({ state }) => state.forbidden)
    return new Set(refused.map(({ state }) => state.resource))
  }

  problems(): readonly Problem[] {
    return [...this.#watches]
      .filter(([{ state }]) => state.forbidden)
      .map(([, refusal]) => ({ code: 'forbidden', severity: 'error', ...refusal }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#following
    await this.#client.close()
  }

  /** What `services` and `endpointSlices` leave out and the router needs all the same. */
  #namedServices(): readonly NamedService[] {
    const { namespace, ingress, watchNamespace, publishService } = this.#options
    const isOutside = (other: string): boolean => watchNamespace !== null && watchNamespace !== other
    const named: NamedService[] = []
    const builder = { namespace, name: 'deis-builder' }
    if (!ingress || isOutside(namespace)) {
      named.push({ ...builder, ...this.#watchByName(builder.namespace, builder.name, isOutside(namespace)) })
    }
    if (ingress && publishService !== null && isOutside(publishService.namespace)) {
      const { namespace: where, name } = publishService
      const isBuilder = where === builder.namespace && name === builder.name
      if (!isBuilder) named.push({ namespace: where, name, ...this.#watchByName(where, name, false) })
    }
    return named
  }

  #watchByName(
    namespace: string,
    name: string,
    withSlices: boolean,
  ): Pick<NamedService, 'services' | 'endpointSlices'> {
    const object = { kind: 'Service', namespace, name }
    const rule = `a Role in ${namespace} must allow list and watch on`
    const services = this.#watch<Service>(
      {
        apiVersion: 'v1',
        plural: 'services',
        resource: `service ${namespace}/${name}`,
        namespace,
        fieldSelector: `metadata.name=${name}`,
        transform: trimPublishService,
      },
      object,
      `we may not read it: ${rule} services with resourceNames ${name}`,
    )
    if (!withSlices) return { services, endpointSlices: null }
    const endpointSlices = this.#watch<EndpointSlice>(
      {
        apiVersion: 'discovery.k8s.io/v1',
        plural: 'endpointslices',
        resource: `endpointslices of ${namespace}/${name}`,
        namespace,
        labelSelector: `kubernetes.io/service-name=${name}`,
        transform: trimEndpointSlice,
      },
      object,
      `we may not read its endpoints: ${rule} endpointslices`,
    )
    return { services, endpointSlices }
  }

  #isPublished({ metadata }: Service): boolean {
    const { publishService } = this.#options
    return publishService?.name === metadata.name && publishService.namespace === metadata.namespace
  }

  /** Whether all Secrets of the namespace are followed: the router's own are named, wherever the objects that are followed are. */
  #areKnown(namespace: string): boolean {
    const { watchNamespace } = this.#options
    if (this.#allSecrets === null || (watchNamespace !== null && watchNamespace !== namespace)) return false
    this.#following ??= this.#followAll(this.#allSecrets)
    return true
  }

  async #followAll(watch: ListWatch<Secret>): Promise<void> {
    for await (const change of watch.changes(this.#stop.signal)) this.#named.apply(change)
  }

  async *#followSecret(
    namespace: string,
    name: string,
    signal: AbortSignal,
  ): AsyncGenerator<Change<Secret>, void, undefined> {
    const watch = this.#watch<Secret>(
      {
        apiVersion: 'v1',
        plural: 'secrets',
        resource: `secret ${namespace}/${name}`,
        namespace,
        fieldSelector: `metadata.name=${name}`,
        transform: trimSecret,
      },
      { kind: 'Secret', namespace, name },
      `we may not read it: a Role in ${namespace} must allow list and watch on secrets with resourceNames ${name}`,
    )
    try {
      yield* watch.changes(signal)
    } finally {
      this.#watches.delete(watch)
    }
  }

  /** A collection of the namespace that we are confined to, or of all. */
  #watchScope<T extends KubeObject>(options: Omit<ListWatchOptions<T>, 'client' | 'namespace'>): ListWatch<T> {
    const { watchNamespace } = this.#options
    const { plural } = options
    if (watchNamespace === null) {
      const object = { kind: 'ClusterRole', namespace: '', name: 'deis-router' }
      return this.#watch(options, object, `we may not read ${plural} of all namespaces: it must allow list and watch`)
    }
    const object = { kind: 'Role', namespace: watchNamespace, name: 'deis-router' }
    const message = `we may not read ${plural} of ${watchNamespace}: it must allow list and watch`
    return this.#watch({ ...options, namespace: watchNamespace }, object, message)
  }

  #watch<T extends KubeObject>(
    options: Omit<ListWatchOptions<T>, 'client'>,
    object: ObjectRef,
    message: string,
  ): ListWatch<T> {
    const watch = new ListWatch<T>({ ...options, client: this.#client })
    this.#watches.set(watch, { object, message })
    return watch
  }
}
