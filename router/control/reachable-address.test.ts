import { expect, test } from 'vitest'
import { isReachable } from './reachable-address.ts'

const rows: readonly (readonly [address: string, want: boolean])[] = [
  ['192.0.2.7', true],
  ['10.0.0.1', true],
  ['100.64.0.1', true],
  ['2001:db8::7', true],
  ['fd00::7', true],
  ['::ffff:192.0.2.7', true],
  ['127.0.0.1', false],
  ['127.255.255.254', false],
  ['0.0.0.0', false],
  ['0.1.2.3', false],
  ['169.254.169.254', false],
  ['224.0.0.1', false],
  ['255.255.255.255', false],
  ['::', false],
  ['::1', false],
  ['::127.0.0.1', false],
  ['::ffff:127.0.0.1', false],
  ['::ffff:7f00:1', false],
  ['::ffff:169.254.169.254', false],
  ['64:ff9b::7f00:1', false],
  ['2002:7f00:1::', false],
  ['fe80::1', false],
  ['febf::1', false],
  ['ff02::1', false],
  ['fe80::1%eth0', false],
  ['fd00:ec2::254', false],
  ['100.100.100.200', false],
  ['168.63.129.16', false],
  ['192.0.0.192', false],
  ['fec0::1', false],
  ['::ffff:0:127.0.0.1', false],
  ['0064:ff9b::a9fe:a9fe', false],
  ['localhost', false],
  ['', false],
  ['192.0.2.7:80', false],
]

for (const [address, want] of rows)
  test(`I-B6 ${JSON.stringify(address)}`, () => expect(isReachable(address)).toBe(want))
