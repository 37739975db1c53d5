// The upstreams that routes lead to, shared by all that lead to the same port of the same Service; their endpoints, from
// the EndpointSlices of the Service, from the addresses of an external name, or fixed ones; and how those are used, from
// the annotations of the Service.

import { isIP } from 'node:net'
import type { EndpointSlice, Service } from '#kube/types.ts'
import type { Delta } from '../model/patch.ts'
import type { Problem } from '../model/problem.ts'
import type { Endpoint, Upstream, UpstreamId } from '../model/upstream.ts'
import { standardUpstreamSettings } from '../model/upstream-settings.ts'
import { endpointsOf, type KnownEndpoint, knownEndpoints } from './endpoints.ts'
import { Interests } from './interests.ts'
import { Ledger } from './ledger.ts'
import type { ProblemBook } from './problem-book.ts'
import { isReachable } from './reachable-address.ts'
import { type PortResolution, resolvePort } from './service-port.ts'
import { readUpstreamSettings, type UpstreamSettingsReading } from './upstream-settings.ts'

/** What an upstream stands for. */
export type UpstreamTarget =
  /**
   * `service` is the key of the Service, `port` the number or name of its port. `raw`: it gets octets, not requests, and
   * the annotations about those do not concern it.
   */
  | { readonly kind: 'service'; readonly service: string; readonly port: number | string; readonly raw?: true }
  | { readonly kind: 'fixed'; readonly endpoints: readonly Endpoint[] }

/** For what is to answer 503. */
export const nowhere: { readonly id: UpstreamId; readonly target: UpstreamTarget } = {
  id: 'nowhere:0' as UpstreamId,
  target: { kind: 'fixed', endpoints: [] },
}

export interface UpstreamBookOptions {
  /** The Service of this key, checked; null: there is none. */
  readonly service: (key: string) => Service | null
  /** The slice of a key that `putSlice` was told, checked; null: there is none. */
  readonly slice: (key: string) => EndpointSlice | null
  readonly externalNames: boolean
  /** Where the router is, for hints about zones; null: not known. */
  readonly zone: string | null
  readonly problems: ProblemBook
}

const standard: UpstreamSettingsReading = { settings: standardUpstreamSettings, problems: [] }

interface Shared {
  target: UpstreamTarget
  users: number
}

export class UpstreamBook {
  readonly #service: (key: string) => Service | null
  readonly #slice: (key: string) => EndpointSlice | null
  readonly #externalNames: boolean
  readonly #shared = new Map<UpstreamId, Shared>()
  readonly #touched = new Set<UpstreamId>()
  readonly #ledger = new Ledger<UpstreamId, Upstream>()
  /** Their keys, by the key of the Service. What they say is read anew when something happens to the Service: it takes room. */
  readonly #slices = new Map<string, readonly string[]>()
  readonly #serviceOfSlice = new Map<string, string>()
  /** Upstreams by the key of the Service that their endpoints depend on. External names are in `#names`. */
  readonly #interests = new Interests()
  /** External names, each with the upstreams that need its addresses. */
  readonly #names = new Map<string, Set<UpstreamId>>()
  readonly #nameOf = new Map<UpstreamId, string>()
  readonly #addresses = new Map<string, readonly string[]>()
  /** What is wrong with the settings, by upstream: what is said of a Service is said once for all its ports. */
  readonly #faults = new Map<UpstreamId, { readonly service: string; readonly problems: readonly Problem[] }>()
  readonly #zone: string | null
  readonly #problems: ProblemBook
  #wanted: ReadonlySet<string> = new Set()

  constructor({ service, slice, externalNames, zone, problems }: UpstreamBookOptions) {
    this.#service = service
    this.#slice = slice
    this.#externalNames = externalNames
    this.#zone = zone
    this.#problems = problems
  }

  /** One more route leads there; what it says of the target holds for all. */
  acquire(id: UpstreamId, target: UpstreamTarget): void {
    const shared = this.#shared.get(id)
    if (shared !== undefined) {
      shared.users++
      if (target.kind === 'fixed' && shared.target !== target) this.#touched.add(id)
      shared.target = target
      return
    }
    this.#shared.set(id, { target, users: 1 })
    if (target.kind === 'service') this.#interests.replace(id, [target.service])
    this.#touched.add(id)
  }

  /** Takes back one `acquire`; the last one ends the upstream. */
  release(id: UpstreamId): void {
    const shared = this.#shared.get(id)
    if (shared === undefined || --shared.users > 0) return
    this.#shared.delete(id)
    this.#interests.replace(id, [])
    this.#touched.add(id)
  }

  /** The Service of this key came, changed or went. */
  touch(service: string): void {
    for (const id of this.#interests.in(service)) this.#touched.add(id as UpstreamId)
  }

  /** The slice of key `key` is another one now, of the Service of key `service`; null: there is none, or it is of no Service. */
  putSlice(key: string, service: string | null): void {
    const before = this.#serviceOfSlice.get(key)
    if (before !== undefined) {
      const slices = this.#slices.get(before)?.filter(other => other !== key) ?? []
      if (slices.length === 0) this.#slices.delete(before)
      else this.#slices.set(before, slices)
      this.#serviceOfSlice.delete(key)
      this.touch(before)
    }
    if (service === null) return
    this.#slices.set(service, [...(this.#slices.get(service) ?? []), key])
    this.#serviceOfSlice.set(key, service)
    this.touch(service)
  }

  /** The external names whose addresses routes in force need, lower case. The same Set as before when nothing changed. */
  wantedNames(): ReadonlySet<string> {
    return this.#wanted
  }

  /** The addresses of one of `wantedNames`; null: it has none, and nothing answers for it. */
  externalName(host: string, addresses: readonly string[] | null): void {
    if (!this.#names.has(host)) return
    if (addresses === null) this.#addresses.delete(host)
    else this.#addresses.set(host, addresses.map(address => address.toLowerCase()).filter(isReachable))
    for (const id of this.#names.get(host)!) this.#touched.add(id)
  }

  /** Finds endpoints and settings of all upstreams that something happened to. */
  settle(): void {
    const services = new Set<string>()
    for (const id of this.#touched) {
      const shared = this.#shared.get(id)
      if (shared === undefined) {
        this.#follow(id, null)
        this.#ledger.drop(id)
        this.#fault(id, null, [], services)
      } else this.#ledger.put(this.#upstream(id, shared.target, services))
    }
    this.#touched.clear()
    for (const service of services) this.#tellFaults(service)
    const isSame = this.#wanted.size === this.#names.size && this.#names.keys().every(host => this.#wanted.has(host))
    if (!isSame) this.#wanted = new Set(this.#names.keys())
  }

  /** All endpoints of an upstream, those that get no requests too; as things are now. */
  known(id: UpstreamId): readonly KnownEndpoint[] {
    const target = this.#shared.get(id)?.target
    if (target === undefined) return []
    const used = (endpoints: readonly Endpoint[]): readonly KnownEndpoint[] =>
      endpoints.map(endpoint => ({ ...endpoint, state: 'ready', used: true }))
    if (target.kind === 'fixed') return used(target.endpoints)
    const found = resolvePort(this.#service(target.service), target.port, this.#externalNames)
    if (found.kind === 'slices') return knownEndpoints(this.#slicesOf(target.service), found.portName, this.#zone)
    return used(this.#endpoints(target.service, found))
  }

  flush(): Delta<Upstream, UpstreamId> {
    return this.#ledger.flush()
  }

  whole(): Delta<Upstream, UpstreamId> {
    return this.#ledger.whole()
  }

  /** Adds to `services` those whose settings turned out to be wrong, or right again. */
  #upstream(id: UpstreamId, target: UpstreamTarget, services: Set<string>): Upstream {
    if (target.kind === 'fixed') return { id, endpoints: target.endpoints, settings: standardUpstreamSettings }
    const service = this.#service(target.service)
    const found = resolvePort(service, target.port, this.#externalNames)
    this.#follow(id, found.kind === 'external' ? found.host : null)
    const isRead = service !== null && target.raw !== true
    const { settings, problems } = isRead ? settingsOf(service, found) : standard
    this.#fault(id, target.service, problems, services)
    return { id, endpoints: this.#endpoints(target.service, found), settings }
  }

  #endpoints(service: string, found: PortResolution): readonly Endpoint[] {
    switch (found.kind) {
      case 'slices':
        return endpointsOf(this.#slicesOf(service), found.portName, this.#zone)
      case 'external':
        return [...new Set(this.#addresses.get(found.host) ?? [])]
          .filter(address => isIP(address) !== 0)
          .sort()
          .map(address => ({ address, port: found.port }))
      case 'none':
        return []
    }
  }

  #slicesOf(service: string): readonly EndpointSlice[] {
    const keys = this.#slices.get(service) ?? []
    return keys.map(key => this.#slice(key)).filter(slice => slice !== null)
  }

  #fault(id: UpstreamId, service: string | null, problems: readonly Problem[], services: Set<string>): void {
    const before = this.#faults.get(id)
    if (before !== undefined) services.add(before.service)
    if (service !== null && problems.length > 0) {
      services.add(service)
      this.#faults.set(id, { service, problems })
    } else this.#faults.delete(id)
  }

  #tellFaults(service: string): void {
    const problems: Problem[] = []
    for (const id of this.#interests.in(service)) problems.push(...(this.#faults.get(id as UpstreamId)?.problems ?? []))
    this.#problems.set(`upstreams of ${service}`, problems)
  }

  /** Notes which external name an upstream depends on; null: none. */
  #follow(id: UpstreamId, host: string | null): void {
    const before = this.#nameOf.get(id) ?? null
    if (before === host) return
    if (before !== null) {
      const ids = this.#names.get(before)
      ids?.delete(id)
      if (ids?.size === 0) {
        this.#names.delete(before)
        this.#addresses.delete(before)
      }
      this.#nameOf.delete(id)
    }
    if (host === null) return
    const ids = this.#names.get(host) ?? new Set<UpstreamId>()
    this.#names.set(host, ids.add(id))
    this.#nameOf.set(id, host)
  }
}

function settingsOf({ metadata }: Service, found: PortResolution): UpstreamSettingsReading {
  const { namespace = 'default', name, annotations = {} } = metadata
  const object = { kind: 'Service', namespace, name }
  return readUpstreamSettings(annotations, object, found.kind === 'none' ? null : found.appProtocol)
}
