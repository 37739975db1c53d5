import { describe, expect, test } from 'vitest'
import { AddressSet, type Cidr, parseCidr } from './cidr.ts'

const parsed: readonly (readonly [raw: string, want: Cidr | null])[] = [
  ['192.0.2.1', { address: '192.0.2.1', prefix: 32, family: 'ipv4' }],
  ['10.0.0.0/8', { address: '10.0.0.0', prefix: 8, family: 'ipv4' }],
  ['0.0.0.0/0', { address: '0.0.0.0', prefix: 0, family: 'ipv4' }],
  ['192.0.2.1/32', { address: '192.0.2.1', prefix: 32, family: 'ipv4' }],
  ['::1', { address: '::1', prefix: 128, family: 'ipv6' }],
  ['2001:DB8::/32', { address: '2001:DB8::', prefix: 32, family: 'ipv6' }],
  ['::/0', { address: '::', prefix: 0, family: 'ipv6' }],
  ['192.0.2.1/33', null],
  ['::/129', null],
  ['10.0.0.0/', null],
  ['10.0.0.0/08', null],
  ['10.0.0.0/+8', null],
  ['10.0.0.0/-1', null],
  ['10.0.0.0/8.0', null],
  ['10.0.0.0/8/8', null],
  ['10.0.0.0/255.0.0.0', null],
  ['10.0.0.0/ 8', null],
  ['10/8', null],
  ['10.0.0/8', null],
  ['010.0.0.0/8', null],
  ['256.0.0.0/8', null],
  ['fe80::1%eth0', null],
  ['fe80::1%eth0/64', null],
  ['[::1]', null],
  ['localhost', null],
  ['/8', null],
  ['', null],
  [' 10.0.0.0/8', null],
]

describe('reading', () => {
  for (const [raw, want] of parsed) test(JSON.stringify(raw), () => expect(parseCidr(raw)).toEqual(want))
})

const checks: readonly (readonly [name: string, blocks: readonly string[], address: string, want: boolean])[] = [
  ['first of a block', ['10.0.0.0/8'], '10.0.0.0', true],
  ['last of a block', ['10.0.0.0/8'], '10.255.255.255', true],
  ['behind a block', ['10.0.0.0/8'], '11.0.0.0', false],
  ['before a block', ['10.0.0.0/8'], '9.255.255.255', false],
  ['a block whose address has bits of its own behind the prefix', ['10.1.2.3/8'], '10.9.9.9', true],
  ['one address', ['192.0.2.1'], '192.0.2.1', true],
  ['its neighbour', ['192.0.2.1'], '192.0.2.2', false],
  ['a prefix within an octet', ['192.0.2.128/25'], '192.0.2.127', false],
  ['all IPv4', ['0.0.0.0/0'], '203.0.113.7', true],
  ['all IPv4 are not all IPv6', ['0.0.0.0/0'], '2001:db8::1', false],
  ['all IPv6', ['::/0'], '2001:db8::1', true],
  ['a block of IPv6', ['2001:db8::/33'], '2001:db8:7fff::1', true],
  ['behind a block of IPv6', ['2001:db8::/33'], '2001:db8:8000::', false],
  ['IPv4 written as IPv6', ['10.0.0.0/8'], '::ffff:10.1.2.3', true],
  ['one of several', ['10.0.0.0/8', '192.0.2.0/24', '2001:db8::/32'], '192.0.2.9', true],
  ['none of several', ['10.0.0.0/8', '192.0.2.0/24'], '198.51.100.1', false],
  ['a block of IPv4 written as IPv6', ['::ffff:10.0.0.0/104'], '10.9.9.9', true],
  ['one address of IPv4 written as IPv6', ['::FFFF:10.0.0.1'], '10.0.0.1', true],
  ['all IPv6 are not all IPv4', ['::/0'], '10.0.0.1', false],
  ['none of none', [], '10.0.0.1', false],
]

describe('§10 checking', () => {
  for (const [name, blocks, address, want] of checks) {
    test(name, () => {
      expect(new AddressSet(blocks.map(block => parseCidr(block)!)).has(address)).toBe(want)
    })
  }
})
