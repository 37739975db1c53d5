// A round in which nothing was wrong.

import type { Measurement } from '../measure.ts'

export const good: Measurement = {
  cpuPerUnit: 20,
  requestsPerSecond: 50_000,
  p50Ms: 1,
  p99Ms: 2,
  residentBytes: 20_000_000,
  proxyBusy: 0.99,
  backendBusy: 0.4,
  loadBusy: 0.4,
  strangersBusy: 0,
  connectsPerRequest: 0,
  logBytesPerRequest: 120,
  failures: 0,
}
