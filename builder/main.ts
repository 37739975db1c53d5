// The builder as a process; wiring only. Exit codes: 0 after an orderly end, 64, 69 and 70 as in kit/exit.ts. Its own log
// (JSON) goes to stderr.

import { exitCode, explainExit } from '#kit/exit.ts'
import { createLogger, flushLog } from '#kit/log.ts'
import { onShutdown } from '#kit/shutdown.ts'
import { version } from '#kit/version.ts'
import { openStore } from '#store/open-store.ts'
import { Builder } from './builder.ts'
import { parseConfig } from './config.ts'
import { openStrategy } from './open-strategy.ts'

function leave(error: unknown): never {
  const { line, code } = explainExit('deis-builder', error)
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
    const strategy = await openStrategy(config)
    const builder = await Builder.start(config, { log, store, strategy })
    log.info({ port: builder.port, healthPort: builder.healthPort, strategy: strategy.kind }, 'the builder is up')
    const end = (): void => process.exit(exitCode.ok)
    onShutdown(
      () =>
        void builder
          .stop()
          .then(() => store.close())
          .then(flushLog)
          .then(end, leave),
    )
  }
} catch (error) {
  leave(error)
}
