// Many apps, each with a certificate of its own, as objects that the router reads.

import { selfSign } from '#kit/self-signed.ts'
import type { KubeObject } from '#kube/types.ts'
import {
  type App,
  appNamespace,
  certificateSecret,
  endpointSliceOf,
  hostNames,
  serviceOf,
} from '../support/manifests.ts'

/** One app's Service, EndpointSlice and Secret, by its host; nobody needs to listen at `port`. */
export function securedApps(count: number, port: number): ReadonlyMap<string, readonly KubeObject[]> {
  const now = Date.now()
  return new Map(
    hostNames(count).map((host, index) => {
      const name = `app-${index}`
      const app: App = { name, hosts: [host], address: '127.0.0.1', port, certificate: name }
      const secret = certificateSecret(appNamespace, name, selfSign([host], 30, now))
      return [host, [serviceOf(app), endpointSliceOf(app), secret]] as const
    }),
  )
}

/** In another order each time. */
export function shuffled<T>(values: readonly T[]): readonly T[] {
  const order = [...values]
  for (let at = order.length - 1; at > 0; at--) {
    const other = Math.floor(Math.random() * (at + 1))
    const held = order[at]!
    order[at] = order[other]!
    order[other] = held
  }
  return order
}
