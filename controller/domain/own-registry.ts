// Whether an image is of the platform's own registry, however its host is written. Nodes fetch everything from there, so
// the platform has to know whose an image is before it has a node run it.

import { BlockList, isIP } from 'node:net'
import { parseReference } from '#kit/oci/reference.ts'

export interface OwnRegistryNames {
  /** Whether names without a host are of this registry. */
  readonly hostless: boolean
  /** Names or addresses by which it is reached, without ports. */
  readonly hosts: readonly string[]
}

/** What leads to the node itself, where its way to the registry begins: whatever the port, nothing else of ours is there. */
const ownAddresses = new BlockList()
ownAddresses.addSubnet('127.0.0.0', 8)
ownAddresses.addAddress('0.0.0.0')
ownAddresses.addAddress('::1', 'ipv6')
ownAddresses.addAddress('::', 'ipv6')

/** The repository in our registry; null: it is of another one, or no image's name. */
export function ownRepository(image: string, { hostless, hosts }: OwnRegistryNames): string | null {
  const reference = parseReference(image)
  if (reference === null) return null
  const { host, repository } = reference
  if (host === null) return hostless ? repository : null
  const name = hostName(host)
  return isNode(name) || hosts.some(own => name === own || name.startsWith(`${own}.`)) ? repository : null
}

/** Of `HOST` or `HOST:PORT`: in lower case, without brackets and the dot at the end. */
export function hostName(host: string): string {
  return host
    .toLowerCase()
    .replace(/:[0-9]*$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
}

function isNode(name: string): boolean {
  const family = isIP(name)
  if (family === 0) return name === 'localhost' || name.endsWith('.localhost')
  return ownAddresses.check(name, family === 4 ? 'ipv4' : 'ipv6')
}
