// Attacks on HTTP/2 against the router as a process: over within seconds, felt little beside them, and of little memory.
// How little exactly is measured by `npm run bench:abuse`.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Felt, measureAttack, measurePeace, siteOptions } from '#bench/abuse/measure.ts'
import { attacks } from '#test/support/http2-attacks.ts'
import { Site } from '#test/support/site.ts'

let site: Site
let peace: Felt

beforeAll(async () => {
  site = await Site.start(siteOptions)
  peace = await measurePeace(site)
})
afterAll(() => site[Symbol.asyncDispose]())

for (const attack of attacks) {
  test(attack.name, async () => {
    const { longest, before, meanwhile, failed, memory } = await measureAttack(site, attack, 1, peace)
    expect(longest).toBeLessThan(5_000)
    expect(failed).toBe(0)
    expect(memory).toBeLessThan(64 * 1024 * 1024)
    // Twice is what the bench looks for; a busy machine has far more.
    expect(meanwhile).toBeLessThan(50 * Math.max(before, 10))
  })
}
