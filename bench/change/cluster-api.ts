// The Kubernetes API that the router watches and the bench writes to: in memory by default, a real one on demand.

import { randomInt } from 'node:crypto'
import { resourcePath } from '#kube/client.ts'
import { FakeApi, type FakeObject } from '#kube/fake.ts'
import type { KubeObject } from '#kube/types.ts'
import { ControlPlane } from '#test/cluster/control-plane.ts'
import { appNamespace, routerNamespace } from '../support/manifests.ts'
import { namespaceAddress } from './network-namespace.ts'

export type ApiKind = 'fake' | 'real'

export interface ClusterApi extends AsyncDisposable {
  readonly kubeconfig: string
  /** Where a backend must listen: a real API server refuses loopback addresses in EndpointSlices. */
  readonly backendAddress: string
  /** Creates the object or brings it to this state; resolves when the API has it. */
  apply(object: KubeObject): Promise<void>
  delete(object: KubeObject): Promise<void>
  /** Whether it can be changed while it is away, so that there is much to hear of when it comes back. */
  readonly changesWhileAway: boolean
  /** Breaks every connection and takes no other until `comeBack`. */
  goAway(): Promise<void>
  comeBack(): Promise<void>
}

/** `directory` takes files of the API; it must be there. A real one needs the own network namespace. */
export function startApi(kind: ApiKind, directory: string): Promise<ClusterApi> {
  return kind === 'fake' ? startFake(directory) : startReal()
}

async function startFake(directory: string): Promise<ClusterApi> {
  const api = await FakeApi.start()
  return {
    kubeconfig: await api.kubeconfig(`${directory}/kubeconfig-${randomInt(1_000_000)}`),
    backendAddress: '127.0.0.1',
    apply: async object => void api.apply(object as FakeObject),
    delete: async object => void api.delete(referenceOf(object)),
    changesWhileAway: true,
    goAway: async () => api.goAway(),
    comeBack: async () => api.comeBack(),
    [Symbol.asyncDispose]: () => api.close(),
  }
}

async function startReal(): Promise<ClusterApi> {
  const plane = new ControlPlane()
  await plane.start()
  for (const name of [appNamespace, routerNamespace])
    await plane.request('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
  return {
    kubeconfig: plane.kubeconfig(),
    backendAddress: namespaceAddress,
    async apply(object) {
      const path = `${resourcePath(referenceOf(object))}?fieldManager=bench&force=true`
      // JSON is YAML; this is the one name of server-side apply that every version knows.
      await plane.request('PATCH', path, object, 'application/apply-patch+yaml')
    },
    async delete(object) {
      await plane.request('DELETE', resourcePath(referenceOf(object)))
    },
    changesWhileAway: false,
    goAway: () => plane.killApiServer(),
    comeBack: () => plane.startApiServer(),
    [Symbol.asyncDispose]: () => plane.stop(),
  }
}

function referenceOf({ apiVersion = 'v1', kind = '', metadata: { name, namespace } }: KubeObject) {
  // Enough for Services, EndpointSlices and Secrets.
  const plural = `${kind.toLowerCase()}s`
  return { apiVersion, plural, name, ...(namespace === undefined ? {} : { namespace }) }
}
