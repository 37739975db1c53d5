// Fails a test file that leaves sockets, servers or timers behind.

import { afterAll, beforeAll } from 'vitest'

const kinds = ['TCPSocketWrap', 'TCPServerWrap', 'TLSWrap', 'Timeout', 'ConnectWrap']

function held(): Map<string, number> {
  const counts = new Map<string, number>()
  for (const kind of process.getActiveResourcesInfo()) {
    if (kinds.includes(kind)) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  return counts
}

/** Call it once at the top of a test file. */
export function failOnLeaks(): void {
  let before = new Map<string, number>()
  beforeAll(() => {
    before = held()
  })
  afterAll(async () => {
    // Closing takes a few rounds of the loop, and the runner's own timers come and go.
    const deadline = performance.now() + 5_000
    for (;;) {
      const left = [...held()].filter(([kind, count]) => count > (before.get(kind) ?? 0))
      if (left.length === 0) return
      if (performance.now() > deadline) throw new Error(`left behind: ${JSON.stringify(left)}`)
      await new Promise(resolve => setImmediate(resolve))
    }
  })
}
