// The router as a process; wiring only. Exit codes: 0 after an orderly end, 64 and 69 as in kit/exit.ts.

import { setFlagsFromString } from 'node:v8'
import { exitCode, explainExit } from '#kit/exit.ts'
import { createLogger, flushLog } from '#kit/log.ts'
import { onShutdown } from '#kit/shutdown.ts'
import { version } from '#kit/version.ts'
import { parseConfig } from './config.ts'

// V8 lets the young generation of each thread grow to 64 MB and gives nothing back. Control keeps what it begins with,
// 2 MB, which costs it nothing (bench:start); data threads begin with 8 MB and keep that: TLS needs half of it.
setFlagsFromString('--semi-space-growth-factor=1')
setFlagsFromString('--min-semi-space-size=4')

// Only now, as what it imports makes the young generation grow.
const { startRouter } = await import('./router.ts')

function leave(error: unknown): never {
  const { line, code } = explainExit('deis-router', error)
  process.stderr.write(`${line}\n`)
  process.exit(code)
}

try {
  const command = parseConfig(process.argv.slice(2), process.env, version)
  if (command.kind === 'print') process.stdout.write(command.text)
  else {
    const router = await startRouter(command.config, { log: createLogger(), onFatal: leave })
    const end = (): void => process.exit(exitCode.ok)
    onShutdown(() => void router.stop().then(flushLog).then(end, leave))
  }
} catch (error) {
  leave(error)
}
