// Kubernetes objects from the API server: one watch for each collection, and one for each Secret by its name, so that a
// Role with `resourceNames` is all that a Secret takes.

import { KubeClient } from '#kube/client.ts'
import { ListWatch, type ListWatchOptions } from '#kube/list-watch.ts'
import type { Deployment, EndpointSlice, KubeObject, Secret, Service } from '#kube/types.ts'
import type { Change, Watcher, WatchState } from '#kube/watch.ts'
import type { ObjectRef, Problem } from '../model/problem.ts'
import type { Source } from './source.ts'
import { trimDeployment, trimEndpointSlice, trimSecret, trimService } from './trim.ts'

export interface KubernetesSourceOptions {
  readonly client: KubeClient
  /** The router's own. */
  readonly namespace: string
}

interface FollowedSecret {
  readonly namespace: string
  readonly name: string
  readonly watch: ListWatch<Secret>
}

export class KubernetesSource implements Source, AsyncDisposable {
  readonly services: ListWatch<Service>
  readonly endpointSlices: ListWatch<EndpointSlice>
  readonly deployment: ListWatch<Deployment>
  readonly #client: KubeClient
  readonly #namespace: string
  readonly #secrets = new Set<FollowedSecret>()

  /** `kubeconfig` null: as the service account of our pod. Throws StartupError 64; connects to nothing yet. */
  static async open(kubeconfig: string | null, namespace: string): Promise<KubernetesSource> {
    const client = kubeconfig === null ? await KubeClient.inCluster() : await KubeClient.fromKubeconfig(kubeconfig)
    return new KubernetesSource({ client, namespace })
  }

  /** Takes `client` over: disposing closes it. */
  constructor({ client, namespace }: KubernetesSourceOptions) {
    this.#client = client
    this.#namespace = namespace
    this.services = this.#watch<Service>({
      apiVersion: 'v1',
      plural: 'services',
      labelSelector: 'router.deis.io/routable=true',
      transform: trimService,
    })
    this.endpointSlices = this.#watch<EndpointSlice>({
      apiVersion: 'discovery.k8s.io/v1',
      plural: 'endpointslices',
      labelSelector: 'kubernetes.io/service-name',
      transform: trimEndpointSlice,
    })
    this.deployment = this.#watch<Deployment>({
      apiVersion: 'apps/v1',
      plural: 'deployments',
      resource: 'deployment',
      namespace,
      fieldSelector: 'metadata.name=deis-router',
      transform: trimDeployment,
    })
  }

  secret(namespace: string, name: string): Watcher<Secret> {
    return { changes: signal => this.#followSecret(namespace, name, signal) }
  }

  states(): readonly WatchState[] {
    const watches = [this.services, this.endpointSlices, this.deployment, ...this.#secrets.values().map(s => s.watch)]
    return watches.map(({ state: { forbidden: _, ...state } }) => state)
  }

  problems(): readonly Problem[] {
    const problems: Problem[] = []
    for (const { state } of [this.services, this.endpointSlices])
      if (state.forbidden)
        problems.push(
          forbidden(
            { kind: 'ClusterRole', namespace: '', name: 'deis-router' },
            `we may not read ${state.resource} of all namespaces: it must allow list and watch`,
          ),
        )
    if (this.deployment.state.forbidden)
      problems.push(
        forbidden(
          { kind: 'Deployment', namespace: this.#namespace, name: 'deis-router' },
          `we may not read it: a Role in ${this.#namespace} must allow list and watch on deployments`,
        ),
      )
    for (const { namespace, name, watch } of this.#secrets)
      if (watch.state.forbidden)
        problems.push(
          forbidden(
            { kind: 'Secret', namespace, name },
            `we may not read it: a Role in ${namespace} must allow list and watch on secrets with resourceNames ${name}`,
          ),
        )
    return problems
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close()
  }

  async *#followSecret(
    namespace: string,
    name: string,
    signal: AbortSignal,
  ): AsyncGenerator<Change<Secret>, void, undefined> {
    const watch = this.#watch<Secret>({
      apiVersion: 'v1',
      plural: 'secrets',
      resource: `secret ${namespace}/${name}`,
      namespace,
      fieldSelector: `metadata.name=${name}`,
      transform: trimSecret,
    })
    const followed: FollowedSecret = { namespace, name, watch }
    this.#secrets.add(followed)
    try {
      yield* watch.changes(signal)
    } finally {
      this.#secrets.delete(followed)
    }
  }

  #watch<T extends KubeObject>(options: Omit<ListWatchOptions<T>, 'client'>): ListWatch<T> {
    return new ListWatch({ ...options, client: this.#client })
  }
}

function forbidden(object: ObjectRef, message: string): Problem {
  return { code: 'forbidden', severity: 'error', object, message }
}
