// IP address blocks, for trusted proxies and allow lists. IPv4 and IPv6.

import { BlockList, isIP } from 'node:net'

/** An address block as data: `prefix` counts bits. */
export interface Cidr {
  readonly address: string
  readonly prefix: number
  readonly family: 'ipv4' | 'ipv6'
}

/** Reads `192.0.2.1`, `10.0.0.0/8` or `2001:db8::/32`; null when it is neither. */
export function parseCidr(raw: string): Cidr | null {
  const slash = raw.indexOf('/')
  const address = slash < 0 ? raw : raw.slice(0, slash)
  const version = isIP(address)
  if (version === 0 || address.includes('%')) return null
  const mapped = /^::ffff:([0-9.]+)$/i.exec(address)?.[1]
  if (mapped !== undefined && isIP(mapped) === 4) return parseMapped(mapped, slash < 0 ? null : raw.slice(slash + 1))
  const family = version === 4 ? 'ipv4' : 'ipv6'
  const bits = version === 4 ? 32 : 128
  if (slash < 0) return { address, prefix: bits, family }
  const digits = raw.slice(slash + 1)
  if (!/^(0|[1-9][0-9]{0,2})$/.test(digits)) return null
  const prefix = Number(digits)
  return prefix <= bits ? { address, prefix, family } : null
}

/** IPv4 written as IPv6 is what it stands for: clients with IPv4 addresses are known by these. */
function parseMapped(address: string, digits: string | null): Cidr | null {
  if (digits === null) return parseCidr(address)
  const prefix = /^(9[6-9]|1[0-9]{2})$/.test(digits) ? Number(digits) - 96 : -1
  return prefix >= 0 && prefix <= 32 ? parseCidr(`${address}/${prefix}`) : null
}

/** A set of blocks. IPv4 and IPv6 are apart: `::/0` holds no IPv4 address, `0.0.0.0/0` no IPv6 address (contract section 10). */
export class AddressSet {
  readonly #ipv4 = new BlockList()
  readonly #ipv6 = new BlockList()

  constructor(cidrs: readonly Cidr[]) {
    for (const { address, prefix, family } of cidrs)
      (family === 'ipv4' ? this.#ipv4 : this.#ipv6).addSubnet(address, prefix, family)
  }

  /** `address` is a literal. IPv4 written as IPv6 (`::ffff:192.0.2.1`) is held against both kinds of blocks. */
  has(address: string): boolean {
    if (isIP(address) === 6) return this.#ipv6.check(address, 'ipv6') || this.#ipv4.check(address, 'ipv6')
    return this.#ipv4.check(address, 'ipv4')
  }
}
