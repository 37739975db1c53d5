import { expect, test } from 'vitest'
import { cases } from './cases.ts'
import type { Measurement } from './measure.ts'
import { doubts, ratio, valuesOf } from './result.ts'
import { good } from './testdata/measurement.ts'

const work = cases[0]!
const cpu = (...values: (number | null)[]) => values.map(cpuPerUnit => ({ ...good, cpuPerUnit }))

const ratios: [name: string, ours: Measurement[], theirs: Measurement[], want: number | null][] = [
  ['a slow spell that hits both in one round does not count', cpu(20, 40, 20), cpu(10, 20, 10), 2],
  ['the median of the rounds', cpu(10, 30, 20), cpu(10, 10, 10), 2],
  ['only common rounds', cpu(10, 30), cpu(20), 0.5],
  ['nothing to compare with', cpu(10), [], null],
  ['not measured', cpu(null), cpu(10), null],
]
for (const [name, ours, theirs, want] of ratios)
  test(`ratio: ${name}`, () => expect(ratio(ours, theirs, 'cpuPerUnit')).toBe(want))

test('values that could not be measured are left out', () => {
  expect(valuesOf(cpu(1, null, 3), 'cpuPerUnit')).toEqual([1, 3])
})

const doubtful: [name: string, rounds: Measurement[], want: RegExp[]][] = [
  ['a proxy at its limit on a quiet machine raises none', [good, good], []],
  ['failed requests', [good, { ...good, failures: 2 }], [/^2 requests failed$/]],
  ['no upstream keep-alive', [{ ...good, connectsPerRequest: 1 }], [/for 100 % of requests/]],
  ['no access log', [{ ...good, logBytesPerRequest: 0 }], [/only 0 bytes of access log/]],
  ['others on its CPU', [{ ...good, proxyBusy: 0.7, strangersBusy: 0.29 }], [/other processes took 29 %/]],
  ['the generator is the bottleneck', [{ ...good, proxyBusy: 0.5 }], [/not at its limit \(50 % of its CPU/]],
  ['what was not measured raises none', [{ ...good, proxyBusy: null, strangersBusy: null }], []],
]
for (const [name, rounds, want] of doubtful)
  test(`doubts: ${name}`, () => {
    const found = doubts(work, rounds)
    expect(found).toHaveLength(want.length)
    for (const [index, pattern] of want.entries()) expect(found[index]).toMatch(pattern)
  })
