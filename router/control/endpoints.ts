// Where the traffic of a Service port goes: the addresses of its EndpointSlices (contract sections 1 and 9).

import { isIP } from 'node:net'
import type { EndpointSlice } from '#kube/types.ts'
import type { Endpoint } from '../model/upstream.ts'

const versionOf = { IPv4: 4, IPv6: 6, FQDN: -1 } as const

/**
 * The endpoints behind the Service port called `portName` (empty: the port has no name), of all `slices`, in a fixed
 * order and each once. Pods that terminate but still serve count only while no other is ready, so that the last pods
 * of a rollout answer what is in flight. Slices of names rather than addresses lead nowhere.
 */
export function endpointsOf(slices: Iterable<EndpointSlice>, portName: string): readonly Endpoint[] {
  const ready = new Map<string, Endpoint>()
  const leaving = new Map<string, Endpoint>()
  for (const { addressType, endpoints = [], ports = [] } of slices) {
    if (addressType === undefined) continue
    const version = versionOf[addressType]
    const port = ports.find(({ name = '', protocol = 'TCP' }) => name === portName && protocol === 'TCP')?.port
    if (port === undefined) continue
    for (const { addresses, conditions } of endpoints) {
      // `ready` is absent when unknown, and then to be taken for true.
      const isReady = conditions?.ready !== false
      if (!isReady && !(conditions?.serving === true && conditions.terminating === true)) continue
      for (const raw of addresses) {
        const address = raw.toLowerCase()
        if (isIP(address) !== version || address.includes('%')) continue
        const into = isReady ? ready : leaving
        into.set(`${address} ${port}`, { address, port })
      }
    }
  }
  const chosen = ready.size > 0 ? ready : leaving
  return [...chosen].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, endpoint]) => endpoint)
}
