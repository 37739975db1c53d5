import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Coding, CodingNegotiator } from './accept.ts'

const all = ['gzip', 'br', 'zstd'] as const

describe('§12 the coding that a client gets', () => {
  const rows: readonly (readonly [acceptEncoding: string, want: Coding | null, enabled?: readonly Coding[]])[] = [
    ['', null],
    ['gzip', 'gzip'],
    ['x-gzip', 'gzip'],
    ['GZip', 'gzip'],
    ['br', 'br'],
    ['zstd', 'zstd'],
    ['br', null, ['gzip', 'zstd']],
    ['zstd', null, ['gzip']],
    ['gzip, deflate', 'gzip'],
    ['gzip,deflate', 'gzip'],
    ['deflate', null],
    ['compress', null],
    ['identity', null],
    // `*` alone does not count, whatever its weight.
    ['*', null],
    ['*;q=1', null],
    ['deflate, *', null],
    ['gzip;q=0, *', null],
    // What browsers send: all are liked equally.
    ['gzip, deflate, br, zstd', 'zstd'],
    ['gzip, deflate, br', 'br'],
    ['gzip, deflate, br, zstd', 'br', ['gzip', 'br']],
    ['gzip, deflate, br, zstd', 'gzip', ['gzip']],
    // Weights.
    ['gzip;q=1', 'gzip'],
    ['gzip;q=0', null],
    ['gzip;q=0.0', null],
    ['gzip;q=0.000', null],
    ['gzip;q=0.001', 'gzip'],
    ['gzip;q=1.000', 'gzip'],
    ['gzip;Q=0.5', 'gzip'],
    ['gzip ; q=0.5', 'gzip'],
    ['gzip\t;\tq=0.5\t', 'gzip'],
    ['gzip;q=1., br;q=0.', 'gzip'],
    ['gzip;q=1.0, br;q=0.9, zstd;q=0.8', 'gzip'],
    ['gzip;q=0.8, br;q=0.9, zstd;q=0.8', 'br'],
    ['gzip;q=0.5, br;q=0.499, zstd;q=0.499', 'gzip'],
    ['gzip, br;q=0, zstd;q=0', 'gzip'],
    ['br;q=0.2, *;q=1', 'br'],
    ['identity, gzip;q=0.5', 'gzip'],
    // Empty members are allowed (RFC 9110 section 5.6.1.2).
    [', ,gzip,, ', 'gzip'],
    // What is malformed was not said, and does not spoil the rest.
    ['gzip;q=1.001', null],
    ['gzip;q=2', null],
    ['gzip;q=0.1234', null],
    ['gzip;q=-1', null],
    ['gzip;q=', null],
    ['gzip;q', null],
    ['gzip;', null],
    ['gzip;q=.5', null],
    ['gzip;q=0,5', null],
    ['gzip;q=1e0', null],
    ['gzip; q = 1', null],
    ['gzip;q=1;q=1', null],
    ['gzip;level=9', null],
    ['gzip q=1', null],
    ['gzip deflate', null],
    ['"gzip"', null],
    ['gzipx', null],
    ['xgzip', null],
    ['gzip;q=bad, br', 'br'],
    // Of contradictions the least.
    ['gzip;q=0, gzip', null],
    ['gzip, x-gzip;q=0', null],
    ['zstd;q=0.1, br;q=0.5, zstd', 'br'],
    [`${'x'.repeat(1020)},gzip`, null],
    [`${'x'.repeat(1019)},gzip`, 'gzip'],
  ]
  for (const [acceptEncoding, want, enabled = all] of rows) {
    test(`"${acceptEncoding.slice(0, 60)}" of ${enabled.join(', ')}: ${want}`, () => {
      const negotiator = new CodingNegotiator(new Set(enabled))
      expect(negotiator.negotiate(acceptEncoding)).toBe(want)
      expect(negotiator.negotiate(acceptEncoding), 'from memory').toBe(want)
    })
  }
})

test('weights decide, and the order only among equals, whatever else is in the list', () => {
  const weight = fc.integer({ min: 0, max: 1000 })
  const noise = fc.array(fc.constantFrom('deflate', '*', 'compress;q=0.3', 'identity;q=0', '', 'gzip;q=x'))
  fc.assert(
    fc.property(weight, weight, weight, noise, fc.infiniteStream(fc.nat()), (gzip, br, zstd, others, order) => {
      const said = [`gzip;q=${gzip / 1000}`, `br;q=${br / 1000}`, `zstd;q=${zstd / 1000}`, ...others]
      const shuffled = said.map(one => [order.next().value ?? 0, one] as const).toSorted(([a], [b]) => a - b)
      const best = Math.max(gzip, br, zstd)
      const want = best === 0 ? null : zstd === best ? 'zstd' : br === best ? 'br' : 'gzip'
      expect(new CodingNegotiator(new Set(all)).negotiate(shuffled.map(([, one]) => one).join(', '))).toBe(want)
    }),
    { seed: 9110, numRuns: 1000 },
  )
})

test('many different headers push out what was known, and the answers stay right', () => {
  const negotiator = new CodingNegotiator(new Set(all))
  for (let i = 0; i < 2000; i++) {
    expect(negotiator.negotiate(`x-${i}, br`)).toBe('br')
    expect(negotiator.negotiate('gzip')).toBe('gzip')
    expect(negotiator.negotiate(`x-${i}`)).toBe(null)
  }
})
