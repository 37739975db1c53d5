import { describe, expect, test } from 'vitest'
import { type ConfigMaps, noConfig } from './config.ts'
import { diffConfigs } from './config-diff.ts'
import { summaryOfBuild, summaryOfConfig, summaryOfFailed, summaryOfFirst, summaryOfRollback } from './summary.ts'

const live = { livenessProbe: { tcpSocket: { port: 80 } } }

const rows: readonly (readonly [before: Partial<ConfigMaps>, after: Partial<ConfigMaps>, want: string])[] = [
  [{}, { values: { B: '1', A: '1' } }, 'ann added A, B'],
  [{ values: { C: '1', D: '1' } }, { values: { A: '1', B: '1', C: '2' } }, 'ann added A, B, changed C, deleted D'],
  [{}, { memory: { web: '1G' } }, 'ann changed limits for memory'],
  [{ cpu: { web: '1' } }, { memory: { web: '1G' } }, 'ann changed limits for memory, cpu'],
  [{}, { tags: { x: '1' } }, 'ann added tag x'],
  [{ tags: { x: '1', y: '1' } }, { tags: { x: '2' } }, 'ann changed tag x, deleted tag y'],
  [{}, { registry: { username: 'u', password: 'p' } }, 'ann added registry info password, username'],
  [{}, { healthcheck: { 'web/cmd': live } }, 'ann added healthcheck info for proc type web/cmd'],
  [
    { healthcheck: { 'web/cmd': live } },
    { healthcheck: { 'web/cmd': {} } },
    'ann changed healthcheck info for proc type web/cmd',
  ],
  [{ healthcheck: { 'web/cmd': live } }, {}, 'ann deleted healthcheck info for proc type web/cmd'],
  [
    {},
    { values: { A: '1' }, cpu: { web: '1' }, tags: { x: '1' } },
    'ann added A and ann changed limits for cpu and ann added tag x',
  ],
  [{}, {}, 'ann changed nothing'],
]

describe('section 5, Releases: summaries of configs', () => {
  for (const [before, after, want] of rows)
    test(want, () => {
      const changes = diffConfigs({ ...noConfig, ...before }, { ...noConfig, ...after })
      expect(summaryOfConfig('ann', changes)).toBe(want)
    })

  test('thousands of keys are cut', () => {
    const values = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`KEY_${i}`, '1']))
    expect(summaryOfConfig('ann', diffConfigs(noConfig, { ...noConfig, values }))).toHaveLength(1000)
  })
})

test('section 5, Releases: all others', () => {
  const uuid = 'f47ac10b-58cc-4372-a567-0e02b2c3d479'
  expect(summaryOfFirst('ann')).toBe('ann created initial release')
  expect(summaryOfBuild('ann', { sha: '0123456789abcdef', image: 'x' })).toBe('ann deployed 0123456')
  expect(summaryOfBuild('ann', { sha: '', image: 'me/app:1' })).toBe('ann deployed me/app:1')
  expect(summaryOfRollback('ann', 3)).toBe('ann rolled back to v3')
  expect(summaryOfFailed.build('ann', uuid)).toBe('ann deployed f47ac10 which failed')
  expect(summaryOfFailed.config('ann')).toBe('ann deployed a config that failed')
  expect(summaryOfFailed.rollback('ann')).toBe('ann performed roll back to a release that failed')
})
