import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bytesOf, isCpuLimit, isMemoryLimit, memoryLimitOf, resourcesOf } from './limits.ts'

const memory: readonly (readonly [text: string, want: boolean])[] = [
  ['64M', true],
  ['64MB', true],
  ['64m', true],
  ['64mb', true],
  ['10B', true],
  ['1G', true],
  ['0', true],
  ['0/64M', true],
  ['32M/64MB', true],
  ['1024K/1M', true],
  ['64', false],
  ['64M/0', false],
  ['64MM', false],
  ['64BB', false],
  ['-64M', false],
  ['1.5G', false],
  ['64Mi', false],
  ['64M\n', false],
  ['64M/', false],
  ['/64M', false],
  ['1M/2M/3M', false],
  ['64M/32M', false],
  ['', false],
  ['9'.repeat(60), false],
]
const cpu: readonly (readonly [text: string, want: boolean])[] = [
  ['1', true],
  ['0.5', true],
  ['.5', true],
  ['500m', true],
  ['+1', true],
  ['250m/1', true],
  ['1/1', true],
  ['1.', false],
  ['1/500m', false],
  ['-1', false],
  ['1e3', false],
  ['m', false],
  ['', false],
  ['1/', false],
  ['one', false],
  [`${'9'.repeat(5000)}x`, false],
]

describe('section 5, Config: limits of memory', () => {
  for (const [text, want] of memory) test(JSON.stringify(text), () => expect(isMemoryLimit(text)).toBe(want))
})

describe('section 5, Config: limits of CPU', () => {
  for (const [text, want] of cpu) test(text.slice(0, 20), () => expect(isCpuLimit(text)).toBe(want))
})

const quantities: readonly (readonly [memory: string, cpu: string, requests: object, limits: object])[] = [
  ['64M', '500m', {}, { memory: '64Mi', cpu: '500m' }],
  ['64mb', '1', {}, { memory: '64Mi', cpu: '1' }],
  ['10B', '1', {}, { memory: '10', cpu: '1' }],
  ['0', '1', {}, { memory: '0', cpu: '1' }],
  ['1k/2KB', '250m/1', { memory: '1Ki', cpu: '250m' }, { memory: '2Ki', cpu: '1' }],
  ['0/1gb', '0/.5', { memory: '0', cpu: '0' }, { memory: '1Gi', cpu: '.5' }],
]

describe('section 8: as quantities', () => {
  for (const [ram, cores, requests, limits] of quantities)
    test(`${ram} and ${cores}`, () =>
      expect(resourcesOf({ memory: { web: ram }, cpu: { web: cores } }, 'web')).toEqual({ requests, limits }))

  test('another type has none, whatever it is called', () => {
    const none = { requests: {}, limits: {} }
    expect(resourcesOf({ memory: { web: '1M' }, cpu: {} }, 'worker')).toEqual(none)
    expect(resourcesOf({ memory: {}, cpu: {} }, 'constructor')).toEqual(none)
  })
})

test('what is allowed has a quantity that Kubernetes takes', () => {
  const part = fc
    .tuple(fc.nat(), fc.constantFrom('B', 'K', 'M', 'G', 'KB', 'mb', 'gB'))
    .map(([n, unit]) => `${n}${unit}`)
  fc.assert(
    fc.property(part, part, (a, b) => {
      const [less, more] = bytesOf(a) <= bytesOf(b) ? [a, b] : [b, a]
      const text = `${less}/${more}`
      expect(isMemoryLimit(text)).toBe(true)
      const { requests, limits } = resourcesOf({ memory: { web: text }, cpu: {} }, 'web')
      for (const quantity of [requests.memory!, limits.memory!]) expect(quantity).toMatch(/^\d+([KMG]i)?$/)
      expect(memoryLimitOf({ memory: { web: text } }, 'web')).toBe(bytesOf(more))
    }),
  )
})
