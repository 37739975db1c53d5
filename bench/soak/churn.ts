// Configuration that changes all the time: apps that come, change and go, and objects that are wrong in every way that a
// person finds.

import { selfSign } from '#kit/self-signed.ts'
import type { KubeObject } from '#kube/types.ts'
import type { ClusterApi } from '../change/cluster-api.ts'
import { type App, appNamespace, certificateSecret, endpointSliceOf, serviceOf } from '../support/manifests.ts'

/** Apps of the churn that exist at once. */
const crowd = 200

export class Churn {
  readonly #api: ClusterApi
  readonly #pair = selfSign(['churn.soak.example'], 30, Date.now())
  #count = 0

  constructor(api: ClusterApi) {
    this.#api = api
  }

  /** Changes made. */
  get count(): number {
    return this.#count
  }

  /** The next change. Every fifth is a mistake. */
  async step(): Promise<void> {
    const turn = this.#count++
    const app = appOf(Math.floor(turn / 5) % crowd)
    switch (turn % 5) {
      case 0:
        return this.#api.apply(serviceOf(app))
      case 1:
        return this.#api.apply(endpointSliceOf({ ...app, port: 20_000 + (turn % 10_000) }))
      case 2:
        return this.#api.apply(serviceOf({ ...app, annotations: { 'router.deis.io/connectTimeout': `${turn % 60}s` } }))
      case 3:
        return this.#api.apply(mistakes[Math.floor(turn / 5) % mistakes.length]!(app))
      default: {
        // What came half a crowd ago goes.
        const old = appOf((Math.floor(turn / 5) + crowd / 2) % crowd)
        if (turn < (crowd / 2) * 5) return this.#api.apply(certificateSecret(appNamespace, `churn-${turn}`, this.#pair))
        await Promise.all([this.#api.delete(serviceOf(old)), this.#api.delete(endpointSliceOf(old))])
      }
    }
  }
}

function appOf(index: number): App {
  const name = `churn-${index}`
  // Port 1: nobody asks for these hosts.
  return { name, hosts: [`${name}.soak.example`], address: '127.0.0.1', port: 1, certificate: null }
}

const annotated =
  (annotations: Readonly<Record<string, string>>) =>
  (app: App): KubeObject =>
    // Of two that claim a host in the same second, the one first in the alphabet has it.
    serviceOf({ ...app, name: `z-${app.name}`, hosts: [`bad.${app.hosts[0]}`], annotations })

const mistakes: readonly ((app: App) => KubeObject)[] = [
  annotated({ 'router.deis.io/connectTimeout': 'soon' }),
  annotated({ 'router.deis.io/domains': 'not a host!!, *.*, -' }),
  annotated({ 'router.deis.io/whitelist': '300.1.2.3' }),
  annotated({ 'router.deis.io/certificates': 'nowhere:missing' }),
  // The host of an app that is served: whoever was first keeps it.
  annotated({ 'router.deis.io/domains': 'web-0.soak.example' }),
  app => certificateSecret(appNamespace, app.name, { chain: 'no chain', key: 'no key', fingerprint: '', notAfter: 0 }),
]
