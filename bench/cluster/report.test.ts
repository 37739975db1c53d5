import { expect, test } from 'vitest'
import { renderReport } from './report.ts'

const load = {
  sent: 1500,
  failed: 2,
  failures: { '502 (kept connection)': 2 },
  connects: 16,
  p50: 1,
  p99: 9.95,
  most: 42,
}

test('a page says how long changes took and what was lost', () => {
  const page = renderReport({
    date: '2026-01-02T03:04:05.678Z',
    command: 'npm run bench:cluster',
    machine: {
      platform: 'linux-x64',
      cpuModel: 'Some CPU',
      cpus: [0, 1],
      kernel: '6.1',
      memoryBytes: 1,
      node: 'v26.0.0',
      commit: null,
    },
    requestsPerSecond: 500,
    latency: {
      times: [{ change: 'EndpointSlice', goal: 50, milliseconds: [30, 10, 20] }],
      scaling: load,
      changes: { ...load, failed: 0 },
    },
    rollOuts: { 'restart of the router': load },
  })
  expect(page).toContain('2026-01-02, 2 CPUs (Some CPU)')
  expect(page).toContain('| EndpointSlice | 3 | 20.0 | 30.0 | 30.0 | 50 |')
  expect(page).toContain('| restart of the router | 1500 | **2**: 2 × 502 (kept connection) | 1.0 | 9.9 | 42 |')
  expect(page).toContain('| changes of objects | 1500 | 0 |')
})
