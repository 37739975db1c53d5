import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addressOf, canonicalAddress } from './ip-address.ts'

const rows: readonly (readonly [text: string, want: string | null])[] = [
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::FFFF:192.0.2.1', '192.0.2.1'],
  ['0:0:0:0:0:ffff:a0a:a0a', '10.10.10.10'],
  ['0000:0000:0000:0000:0000:ffff:0a0a:0a0a', '10.10.10.10'],
  ['::ffff:c000:201', '192.0.2.1'],
  ['0::ffff:255.255.255.255', '255.255.255.255'],
  // These look alike, and carry no IPv4 address.
  ['::ffff:1:2.3.4.5', '::ffff:1:203:405'],
  ['::ffff:0:192.0.2.1', '::ffff:0:c000:201'],
  ['64:ff9b::192.0.2.1', '64:ff9b::c000:201'],
  ['1::ffff:192.0.2.1', '1::ffff:c000:201'],
  ['2001:DB8::A', '2001:db8::a'],
  ['2001:0db8:0000:0000:0000:0000:0000:0001', '2001:db8::1'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['1:0:0:2:0:0:3:4', '1::2:0:0:3:4'],
  ['1::2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
  ['0:0:0:0:0:0:0:0', '::'],
  ['::1', '::1'],
  ['fe80::1%eth0', 'fe80::1'],
  ['', null],
  ['::ffff:', null],
  ['::ffff:192.0.2', null],
  ['::ffff:192.0.2.256', null],
  ['::ffff:x.example', null],
  ['192.0.2.1:80', null],
  ['[::1]', null],
  ['a.example', null],
]
for (const [text, want] of rows) test(JSON.stringify(text), () => expect(canonicalAddress(text)).toBe(want))

describe('of any address', () => {
  const groups = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), { minLength: 8, maxLength: 8 })
  const mapped = (all: readonly number[]): boolean => all.slice(0, 5).every(group => group === 0) && all[5] === 0xffff

  test('long, upper case or with an IPv4 tail, the text is the same', () => {
    fc.assert(
      fc.property(groups, all => {
        const long = all.map(group => group.toString(16).padStart(4, '0'))
        const tail = all.slice(6).flatMap(group => [group >> 8, group & 0xff])
        const texts = [long.join(':'), long.join(':').toUpperCase(), `${long.slice(0, 6).join(':')}:${tail.join('.')}`]
        for (const text of texts) expect([text, canonicalAddress(text)]).toEqual([text, addressOf(all)])
        expect(canonicalAddress(addressOf(all))).toBe(addressOf(all))
      }),
      { seed: 5952, numRuns: 1000 },
    )
  })

  test('it is what URLs have', () => {
    fc.assert(
      fc.property(groups, all => {
        fc.pre(!mapped(all))
        const text = all.map(group => group.toString(16)).join(':')
        expect(`[${addressOf(all)}]`).toBe(new URL(`http://[${text}]/`).hostname)
      }),
      { seed: 5952, numRuns: 1000 },
    )
  })
})
