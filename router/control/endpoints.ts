// Where the traffic of a Service port goes: the addresses of its EndpointSlices (contract sections 1 and 9).

import { isIP } from 'node:net'
import type { EndpointSlice } from '#kube/types.ts'
import type { Endpoint } from '../model/upstream.ts'

const versionOf = { IPv4: 4, IPv6: 6, FQDN: -1 } as const

interface Found {
  readonly address: string
  readonly port: number
  /** Whose clients it is meant for. */
  readonly zones: readonly { readonly name: string }[]
}

/**
 * The endpoints behind the Service port called `portName` (empty: the port has no name), of all `slices`, in a fixed
 * order and each once. Pods that terminate but still serve count only while no other is ready, so that the last pods
 * of a rollout answer what is in flight. Slices of names rather than addresses lead nowhere. What is hinted to be for
 * other zones than `zone`, the router's own, is far.
 */
export function endpointsOf(
  slices: Iterable<EndpointSlice>,
  portName: string,
  zone: string | null = null,
): readonly Endpoint[] {
  const ready = new Map<string, Found>()
  const leaving = new Map<string, Found>()
  for (const { addressType, endpoints = [], ports = [] } of slices) {
    if (addressType === undefined) continue
    const version = versionOf[addressType]
    const port = ports.find(({ name = '', protocol = 'TCP' }) => name === portName && protocol === 'TCP')?.port
    if (port === undefined) continue
    for (const { addresses, conditions, hints } of endpoints) {
      // `ready` is absent when unknown, and then to be taken for true.
      const isReady = conditions?.ready !== false
      if (!isReady && !(conditions?.serving === true && conditions.terminating === true)) continue
      for (const raw of addresses) {
        const address = raw.toLowerCase()
        if (isIP(address) !== version || address.includes('%')) continue
        const into = isReady ? ready : leaving
        into.set(`${address} ${port}`, { address, port, zones: hints?.forZones ?? [] })
      }
    }
  }
  const chosen = ready.size > 0 ? ready : leaving
  const hinted = zone !== null && areHinted(chosen, zone)
  return [...chosen]
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([, { address, port, zones }]): Endpoint => {
      return hinted && !isFor(zones, zone) ? { address, port, far: true } : { address, port }
    })
}

/** One that a Service has, whether requests go there or not. */
export interface KnownEndpoint extends Endpoint {
  /** `leaving`: it terminates, but serves. */
  readonly state: 'ready' | 'leaving' | 'not-ready'
  /** It is among `endpointsOf`. */
  readonly used: boolean
}

/** All endpoints of the same, those that are used first. */
export function knownEndpoints(
  slices: readonly EndpointSlice[],
  portName: string,
  zone: string | null = null,
): readonly KnownEndpoint[] {
  const used = new Map(endpointsOf(slices, portName, zone).map(each => [`${each.address} ${each.port}`, each]))
  const known = new Map<string, KnownEndpoint>()
  for (const { endpoints = [], ports = [] } of slices) {
    const port = ports.find(({ name = '', protocol = 'TCP' }) => name === portName && protocol === 'TCP')?.port
    if (port === undefined) continue
    for (const { addresses, conditions } of endpoints) {
      const isLeaving = conditions?.serving === true && conditions.terminating === true
      const state = conditions?.ready !== false ? 'ready' : isLeaving ? 'leaving' : 'not-ready'
      for (const raw of addresses) {
        const address = raw.toLowerCase()
        const key = `${address} ${port}`
        // Of an address that is there twice the better word counts.
        if (known.has(key) && state !== 'ready') continue
        known.set(key, { ...(used.get(key) ?? { address, port }), state, used: used.has(key) })
      }
    }
  }
  return [...known]
    .sort(([a, { used: one }], [b, { used: other }]) => Number(other) - Number(one) || (a < b ? -1 : 1))
    .map(([, endpoint]) => endpoint)
}

/** As kube-proxy has it: hints count only if every endpoint has one, and some are for our zone. */
function areHinted(endpoints: ReadonlyMap<string, Found>, zone: string): boolean {
  const all = [...endpoints.values()]
  return all.every(({ zones }) => zones.length > 0) && all.some(({ zones }) => isFor(zones, zone))
}

function isFor(zones: Found['zones'], zone: string): boolean {
  return zones.some(({ name }) => name === zone)
}
