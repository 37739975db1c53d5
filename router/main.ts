// The router as a process; wiring only.

import { setFlagsFromString } from 'node:v8'
import { runProgram } from '#kit/program.ts'
import { version } from '#kit/version.ts'
import { parseConfig } from './config.ts'

// V8 lets the young generation of each thread grow to 64 MB and gives nothing back. Control keeps what it begins with,
// 2 MB, which costs it nothing (bench:start); data threads begin with 8 MB and keep that: TLS needs half of it.
setFlagsFromString('--semi-space-growth-factor=1')
setFlagsFromString('--min-semi-space-size=4')

// Only now, as what it imports makes the young generation grow.
const { startRouter } = await import('./router.ts')

await runProgram({
  name: 'deis-router',
  parse: () => parseConfig(process.argv.slice(2), process.env, version),
  start: (config, log, leave) => startRouter(config, { log, onFatal: leave }),
})
