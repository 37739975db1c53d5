// Which addresses a name outside the cluster may stand for (ingress contract I-B6). A tenant chooses the name and its DNS,
// so that what leads back into this pod or to the node's own services, such as cloud metadata, is refused.

import { BlockList, isIP } from 'node:net'

const refused = new BlockList()
/** "This network" and loopback (RFC 6890), link-local, multicast and reserved. */
for (const [address, prefix] of [
  ['0.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['224.0.0.0', 3],
] as const)
  refused.addSubnet(address, prefix, 'ipv4')
for (const [address, prefix] of [
  // Unspecified, loopback and the IPv4-compatible addresses (RFC 4291 section 2.5.5.1).
  ['::', 96],
  ['fe80::', 10],
  ['ff00::', 8],
] as const)
  refused.addSubnet(address, prefix, 'ipv6')

/** An IPv4 or IPv6 literal that traffic may be sent to. IPv4 written as IPv6 (`::ffff:127.0.0.1`) is what it stands for. */
export function isReachable(address: string): boolean {
  const version = isIP(address)
  if (version === 0 || address.includes('%')) return false
  // BlockList holds mapped addresses against the IPv4 rules; NAT64 (RFC 6052) and 6to4 embed them as well.
  if (version === 6 && /^(64:ff9b:|2002:)/i.test(address)) return false
  return !refused.check(address, version === 4 ? 'ipv4' : 'ipv6')
}
