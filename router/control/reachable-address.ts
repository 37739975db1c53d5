// Which addresses a name outside the cluster may stand for (ingress contract I-B6). A tenant chooses the name and its DNS,
// so that what leads back into this pod or to the node's own services, such as cloud metadata, is refused.

import { BlockList, isIP } from 'node:net'

const refused = new BlockList()
/** "This network" and loopback (RFC 6890), link-local, multicast and reserved. */
for (const [address, prefix] of [
  ['0.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  // Where clouds answer for their machines: Alibaba, Oracle, Azure.
  ['100.100.100.200', 32],
  ['192.0.0.0', 24],
  ['168.63.129.16', 32],
  ['224.0.0.0', 3],
] as const)
  refused.addSubnet(address, prefix, 'ipv4')
for (const [address, prefix] of [
  // Unspecified, loopback and the IPv4-compatible addresses (RFC 4291 section 2.5.5.1).
  ['::', 96],
  ['fe80::', 10],
  ['fec0::', 10],
  // AWS answers here.
  ['fd00:ec2::', 32],
  // IPv4 within IPv6: NAT64 (RFC 6052, RFC 8215), translated (RFC 2765), 6to4, Teredo.
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['::ffff:0:0:0', 96],
  ['2002::', 16],
  ['2001::', 32],
  ['ff00::', 8],
] as const)
  refused.addSubnet(address, prefix, 'ipv6')

/** An IPv4 or IPv6 literal that traffic may be sent to. IPv4 written as IPv6 (`::ffff:127.0.0.1`) is what it stands for. */
export function isReachable(address: string): boolean {
  const version = isIP(address)
  if (version === 0 || address.includes('%')) return false
  // Mapped addresses are held against the IPv4 rules.
  return !refused.check(address, version === 4 ? 'ipv4' : 'ipv6')
}
