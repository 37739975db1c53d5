// The logger, which gets lines without detours: nobody sends syslog here.

import type { Logger as ProgramLog } from '#kit/log.ts'
import { version } from '#kit/version.ts'
import { parseConfig } from '#logger/config.ts'
import { Logger } from '#logger/logger.ts'
import type { LineSink } from '../lines.ts'
import { address, ownConfig, type RunningService } from './running.ts'

export interface LoggerParts {
  readonly log: ProgramLog
  /** Where lines are kept. */
  readonly directory: string
}

export async function startLogger({ log, directory }: LoggerParts): Promise<RunningService & LineSink> {
  const args = [
    ...['--address', address, '--http-port', '0', '--admin-port', 'off', '--udp-port', 'off', '--tcp-port', 'off'],
    ...['--folder', directory],
  ]
  const config = ownConfig(() => parseConfig(args, {}, version))
  const logger = await Logger.start(config, { log })
  return {
    port: logger.httpPort,
    write: line => logger.write(line),
    stop: () => logger.stop(),
  }
}
