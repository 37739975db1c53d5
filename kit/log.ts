// The process's own log: one JSON object a line on stderr. A line is written before the call returns as long as the
// reader keeps up, so that a line about a crash is not lost with the crash; a reader that does not read, or a disk that
// is full, costs lines and nothing else. The access log is another thing and goes to stdout from the data threads.

import pino from 'pino'
import { LineWriter } from './line-writer.ts'

export type Logger = pino.Logger
export type Level = 'debug' | 'info' | 'warn' | 'error' | 'fatal'

/** The names that the annotation `errorLogLevel` knows (syslog's, with nginx's short forms), onto ours. */
const levels = {
  debug: 'debug',
  info: 'info',
  notice: 'info',
  warn: 'warn',
  error: 'error',
  crit: 'fatal',
  alert: 'fatal',
  emerg: 'fatal',
} as const satisfies Record<string, Level>

export function levelOf(name: keyof typeof levels): Level {
  return levels[name]
}

// Nothing that we log holds a secret on purpose; this catches what somebody adds by accident. Three levels deep is
// what an object with an error in it needs, and each level costs the logger a little.
const secretNames = ['key', 'token', 'password', 'authorization', 'privateKey']
const secretPaths = secretNames.flatMap(name => [name, `*.${name}`, `*.*.${name}`])

export interface LogOptions {
  readonly level?: Level
  /** Where lines go; stderr when absent. */
  readonly destination?: pino.DestinationStream
}

/** A logger with ISO times and level names; fields called `key`, `token`, `password` and their like are blanked. */
export function createLogger(options: LogOptions = {}): Logger {
  return pino(
    {
      level: options.level ?? 'info',
      base: null,
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
      redact: { paths: secretPaths, censor: '[redacted]' },
    },
    options.destination ?? { write: line => onStderr().write(Buffer.from(line)) },
  )
}

/** Lines for stderr that may wait for their reader, bytes. */
const maxWaiting = 1024 * 1024
let stderr: LineWriter | null = null

// One for all loggers, and never disposed of: without its listener an error of stderr would end the process.
function onStderr(): LineWriter {
  stderr ??= new LineWriter(process.stderr, { maxWaiting, onError: () => {} })
  return stderr
}

/** Lines logged to stderr so far that it did not take. */
export function droppedLogLines(): number {
  return stderr?.dropped ?? 0
}

/** Waits until stderr has taken what was logged, for half a second at most; to be awaited before `process.exit`. */
export async function flushLog(): Promise<void> {
  await stderr?.flush(500)
}
