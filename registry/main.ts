// The registry as a process; wiring only. The access log goes to stdout, its own log (JSON) to stderr. SIGUSR2 collects
// garbage.

import { setFlagsFromString } from 'node:v8'
import { collectGarbage } from '#kit/collect-garbage.ts'
import { runProgram } from '#kit/program.ts'
import { version } from '#kit/version.ts'

// Chunks of bodies live shorter than anything, and each holds memory outside of the heap: a small nursery gives it back soon.
// Pushes of any size take 15 MB then, and not 50 (bench/registry).
setFlagsFromString('--max-semi-space-size=1')
setFlagsFromString('--semi-space-growth-factor=1')

// Only now, as what they import makes the nursery grow.
const { parseConfig } = await import('./config.ts')
const { Registry } = await import('./registry.ts')
const { openStore } = await import('#store/open-store.ts')

await runProgram({
  name: 'deis-registry',
  parse: () => parseConfig(process.argv.slice(2), process.env, version),
  async start(config, log) {
    const store = await openStore(config.store)
    const registry = await Registry.start(config, { log, store, accessLines: process.stdout })
    log.info({ port: registry.port, adminPort: registry.adminPort, store: store.kind }, 'the registry is up')
    // What reading the program has left behind.
    collectGarbage()
    process.on('SIGUSR2', () => {
      registry.collect().catch(error => log.warn({ error: String(error) }, 'the collection failed'))
    })
    return registry
  },
})
