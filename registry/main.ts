// The registry as a process; wiring only. Exit codes: 0 after an orderly end, 64, 69 and 70 as in kit/exit.ts. The access log
// goes to stdout, its own log (JSON) to stderr. SIGUSR2 collects garbage.

import { setFlagsFromString } from 'node:v8'
import { collectGarbage } from '#kit/collect-garbage.ts'
import { exitCode, explainExit } from '#kit/exit.ts'
import { createLogger, flushLog } from '#kit/log.ts'
import { onShutdown } from '#kit/shutdown.ts'
import { version } from '#kit/version.ts'

// Chunks of bodies live shorter than anything, and each holds memory outside of the heap: a small nursery gives it back soon.
// Pushes of any size take 10 MB then, and not 50 (bench/registry).
setFlagsFromString('--max-semi-space-size=2')
setFlagsFromString('--semi-space-growth-factor=1')

// Only now, as what they import makes the nursery grow.
const { parseConfig } = await import('./config.ts')
const { Registry } = await import('./registry.ts')
const { openStore } = await import('#store/open-store.ts')

function leave(error: unknown): never {
  const { line, code } = explainExit('deis-registry', error)
  process.stderr.write(`${line}\n`)
  process.exit(code)
}

try {
  const command = parseConfig(process.argv.slice(2), process.env, version)
  if (command.kind === 'print') process.stdout.write(command.text)
  else {
    const { config } = command
    const log = createLogger()
    const store = await openStore(config.store)
    const registry = await Registry.start(config, { log, store, accessLines: process.stdout })
    log.info({ port: registry.port, adminPort: registry.adminPort, store: store.kind }, 'the registry is up')
    // What reading the program has left behind.
    collectGarbage()
    process.on('SIGUSR2', () => {
      registry.collect().catch(error => log.warn({ error: String(error) }, 'the collection failed'))
    })
    const end = (): void => process.exit(exitCode.ok)
    onShutdown(() => void registry.stop().then(flushLog).then(end, leave))
  }
} catch (error) {
  leave(error)
}
