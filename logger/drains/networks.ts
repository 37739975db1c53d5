// Where a log drain may lead. Tenants choose its destination, and the logger stands inside of the cluster: what is not of the public
// network is refused, but for networks that the operator names. Pure.

import { BlockList, isIP } from 'node:net'
import { canonicalAddress } from '#kit/ip-address.ts'

export interface Network {
  readonly address: string
  readonly prefix: number
}

/** `10.0.0.0/8`, `2001:db8::/32` or a single address; null: it is none. */
export function parseNetwork(text: string): Network | null {
  const [raw = '', digits, more] = text.split('/')
  const address = raw.includes('%') ? null : canonicalAddress(raw)
  if (address === null || more !== undefined) return null
  const bits = isIP(address) === 4 ? 32 : 128
  if (digits === undefined) return { address, prefix: bits }
  // IPv4 written as IPv6 counts its bits otherwise.
  if (!/^(0|[1-9]\d{0,2})$/.test(digits) || Number(digits) > bits || isIP(raw) !== isIP(address)) return null
  return { address, prefix: Number(digits) }
}

/** RFC 6890 and what was registered since: of this host, private, shared, link-local, for documentation, multicast, reserved. */
const notPublic = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...['192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'],
  ...['224.0.0.0/4', '240.0.0.0/4'],
  // IPv6; and what carries an address of IPv4 inside: translated (64:ff9b::), Teredo, 6to4.
  ...['::/96', '64:ff9b::/96', '64:ff9b:1::/48', '100::/64', '2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'],
  ...['5f00::/16', 'fc00::/7', 'fe80::/10', 'fec0::/10', 'ff00::/8'],
].map(text => parseNetwork(text)!)

export class AllowedNetworks {
  readonly #allowed: BlockList
  readonly #refused = blocksOf(notPublic)

  /** `allowed`: although they are not public. */
  constructor(allowed: readonly Network[]) {
    this.#allowed = blocksOf(allowed)
  }

  /** `address` is a literal. */
  allows(address: string): boolean {
    const canonical = canonicalAddress(address)
    if (canonical === null) return false
    const family = isIP(canonical) === 4 ? 'ipv4' : 'ipv6'
    return this.#allowed.check(canonical, family) || !this.#refused.check(canonical, family)
  }
}

function blocksOf(networks: readonly Network[]): BlockList {
  const blocks = new BlockList()
  for (const { address, prefix } of networks) blocks.addSubnet(address, prefix, isIP(address) === 4 ? 'ipv4' : 'ipv6')
  return blocks
}
