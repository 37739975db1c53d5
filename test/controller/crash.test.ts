// The controller is killed while it works, and the next one puts everything in order. Two rounds; the
// cluster suite has many, on both databases.

import { expect, test } from 'vitest'
import { crashRounds } from '#test/support/crash-rounds.ts'
import { CrashSite } from '#test/support/crash-site.ts'

test('a controller that is killed at any moment leaves nothing half-made to the next one', {
  timeout: 60_000,
}, async () => {
  await using site = await CrashSite.start(null)
  // A config and a build: what is killed with a deploy under way. Each start takes seconds on a busy machine.
  for (const { deed, after } of crashRounds(5, 3).slice(1)) {
    const reply = await site.killDuring(deed, after)
    await site.open()
    const moment = `${deed}, killed after ${after} ms, ${reply === null ? 'not answered' : reply.status}`
    expect([moment, await site.faults(), await site.broken()]).toEqual([moment, [], null])
  }
})
