// The builder as a process; wiring only. Its own log (JSON) goes to stderr.

import { runProgram } from '#kit/program.ts'
import { version } from '#kit/version.ts'
import { openStore } from '#store/open-store.ts'
import { Builder } from './builder.ts'
import { parseConfig } from './config.ts'
import { openStrategy } from './open-strategy.ts'

await runProgram({
  name: 'deis-builder',
  parse: () => parseConfig(process.argv.slice(2), process.env, version),
  async start(config, log) {
    const store = await openStore(config.store)
    const strategy = await openStrategy(config)
    const { leftOvers } = strategy
    if (leftOvers.length > 0) log.warn({ leftOvers }, 'builds of a builder that was killed were ended')
    const builder = await Builder.start(config, { log, store, strategy })
    log.info({ port: builder.port, healthPort: builder.healthPort, strategy: strategy.kind }, 'the builder is up')
    return { stop: () => builder.stop().then(() => store.close()) }
  },
})
