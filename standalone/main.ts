// `npm start`: the platform on this machine, from its command line to Ctrl-C; wiring only.

import { enableCompileCache, flushCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { claimState } from '#kit/children/claim.ts'
import { Journal } from '#kit/children/journal.ts'
import { exitCode, explainExit, StartupError } from '#kit/exit.ts'
import { createLogger, flushLog } from '#kit/log.ts'
import { onShutdown } from '#kit/shutdown.ts'
import { version } from '#kit/version.ts'
import { type PlatformConfig, parseConfig } from './config.ts'
import { journalPaths } from './data-paths.ts'
import { withoutEchoes } from './signals.ts'
import { welcome } from './welcome.ts'

// What is compiled is kept beside the dependencies: half a second of each start.
const cache = fileURLToPath(new URL('../node_modules/.cache/compiled', import.meta.url))
enableCompileCache(cache)
// For the router's threads.
process.env.NODE_COMPILE_CACHE = cache

// As router and controller have them in processes of their own: what is needed for a moment is given back.
setFlagsFromString('--semi-space-growth-factor=1')
setFlagsFromString('--min-semi-space-size=4')
setFlagsFromString('--heap-growing-percent=30')

let data: string | null = null

/** Ends this process at once, and what it has started with it. */
function exit(code: number): never {
  try {
    if (data !== null) for (const directory of journalPaths(data)) new Journal(directory).kill()
  } finally {
    process.exit(code)
  }
}

function leave(error: unknown): never {
  const { line, code } = explainExit('npm start', error)
  process.stderr.write(`${line}\n`)
  exit(code)
}

/** Of a write that the disk did not take: such errors do not name the file. */
const diskErrors = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EIO'])

/** What the file system refused, as one line for the person who chose the directory. */
function unusable(error: unknown, { data: directory, dataName }: PlatformConfig): unknown {
  if (error instanceof StartupError || !(error instanceof Error)) return error
  const { code = '', path = '' } = error as NodeJS.ErrnoException
  // In it, or one above it that cannot be made.
  const isOurs = path !== '' && (path.startsWith(directory) || directory.startsWith(`${path}/`))
  if (!isOurs && !diskErrors.has(code)) return error
  return new StartupError(exitCode.usage, `--data ${dataName} cannot be used: ${error.message}`)
}

async function run(config: PlatformConfig): Promise<void> {
  // Another one would write its own endpoints over those of the first.
  using _claim = claimState(config.data, 'npm-start')
  data = config.data
  // Only now, as what it imports makes the young generation grow.
  const { Platform } = await import('./platform.ts')
  const starting = Platform.start(config, { log: createLogger({ level: config.logLevel }), onFatal: leave })
  const stopped = Promise.withResolvers<void>()
  let isStopping = false
  onShutdown(
    () => {
      isStopping = true
      process.stdout.write('Stopping. Ctrl-C again ends everything at once.\n')
      starting.then(platform => platform.stop()).then(stopped.resolve, stopped.reject)
    },
    withoutEchoes({ on: process.on.bind(process), off: process.off.bind(process), exit }),
  )
  const platform = await starting
  if (!isStopping) process.stdout.write(welcome(platform))
  // At the end it would be written too, but not by who is killed.
  flushCompileCache()
  await stopped.promise
  await flushLog()
}

process.on('uncaughtException', leave)
// Nobody reads it: no reason to end.
process.stdout.on('error', () => {})

try {
  const command = parseConfig(process.argv.slice(2), process.env, version)
  if (command.kind === 'print') process.stdout.write(command.text)
  else {
    await run(command.config).catch(error => {
      throw unusable(error, command.config)
    })
    process.exit(exitCode.ok)
  }
} catch (error) {
  leave(error)
}
