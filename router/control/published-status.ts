// What the status of an Ingress should tell (contract I-S1 and I-S3): where its traffic can come in. Pure.

import { compareText } from '#kit/compare-text.ts'
import type { LoadBalancerAddress, Service } from '#kube/types.ts'

/** One entry of a status: an IP address or a host name. */
export type PublishAddress = { readonly ip: string } | { readonly hostname: string }

/** An Ingress as far as its status is concerned. */
export interface IngressStatus {
  readonly namespace: string
  readonly name: string
  /** Its class is ours. */
  readonly served: boolean
  /** Its `status.loadBalancer.ingress`. */
  readonly loadBalancer: readonly LoadBalancerAddress[]
}

/** Entries of a status; more are left out. */
const mostAddresses = 32

/**
 * The addresses of the Service in front of us, in a fixed order: those of its load balancer, else its external IPs,
 * else, for a Service that asks for no load balancer, its own. Without any, `fallback`. Null: there is nothing to tell.
 */
export function addressesToPublish(
  service: Service | null,
  fallback: readonly PublishAddress[],
): readonly PublishAddress[] | null {
  const found = [ofLoadBalancer(service), ofExternalIps(service), ofService(service), fallback]
  const addresses = found.find(some => some.length > 0)
  return addresses === undefined ? null : addresses.toSorted(byText).slice(0, mostAddresses)
}

/**
 * What to write to an Ingress; null: leave it as it is. `addresses` null: nothing is published, and what was is left.
 * `published` is what we remember to have written there: entries of others, or of a time that nobody remembers, are not
 * ours to remove.
 */
export function desiredStatus(
  { served, loadBalancer }: IngressStatus,
  addresses: readonly PublishAddress[] | null,
  published: readonly PublishAddress[] | null,
): readonly PublishAddress[] | null {
  if (served) return addresses === null || isSame(loadBalancer, addresses) ? null : addresses
  return published !== null && published.length > 0 && isSame(loadBalancer, published) ? [] : null
}

/** Whether a status tells exactly these addresses, in whatever order. */
export function isSame(status: readonly LoadBalancerAddress[], addresses: readonly PublishAddress[]): boolean {
  if (status.length !== addresses.length) return false
  if (status.length === 1) return textOf(status[0]!) === textOf(addresses[0]!)
  const told = status.map(textOf).sort()
  return addresses
    .map(textOf)
    .sort()
    .every((text, index) => text === told[index])
}

function ofLoadBalancer(service: Service | null): readonly PublishAddress[] {
  return (service?.status?.loadBalancer?.ingress ?? []).flatMap<PublishAddress>(({ ip, hostname }) =>
    ip ? [{ ip }] : hostname ? [{ hostname }] : [],
  )
}

function ofExternalIps(service: Service | null): readonly PublishAddress[] {
  return (service?.spec?.externalIPs ?? []).map(ip => ({ ip }))
}

/** A Service of type LoadBalancer that has no address yet is waited for: its cluster IP would lead nobody here. */
function ofService(service: Service | null): readonly PublishAddress[] {
  const { type = 'ClusterIP', clusterIP, externalName } = service?.spec ?? {}
  if (type === 'ExternalName') return externalName ? [{ hostname: externalName }] : []
  if (type !== 'ClusterIP' && type !== 'NodePort') return []
  return clusterIP && clusterIP !== 'None' ? [{ ip: clusterIP }] : []
}

function textOf({ ip, hostname }: LoadBalancerAddress): string {
  return ip ? `ip ${ip}` : `hostname ${hostname}`
}

function byText(a: PublishAddress, b: PublishAddress): number {
  return compareText(textOf(a), textOf(b))
}
