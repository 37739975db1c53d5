// A short soak: `npm run soak` is the long one.

import { expect, test } from 'vitest'
import { isLossless, renderOutcome } from '#bench/soak/report.ts'
import { soak } from '#bench/soak/soak.ts'

test.runIf(process.platform === 'linux')(
  'everything that can happen to a router at once, and not one request lost',
  async () => {
    const outcome = await soak({ api: 'fake', seconds: 20, requestsPerSecond: 500, changes: 1_000, workers: 2 })
    console.log(renderOutcome(outcome))
    expect(outcome.failures).toEqual([])
    expect(outcome.silent).toEqual([])
    expect(isLossless(outcome)).toBe(true)
  },
  120_000,
)
