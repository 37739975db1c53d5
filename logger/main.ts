// The logger as a process; wiring only. Its own log (JSON) goes to stderr.

import { collectGarbage } from '#kit/collect-garbage.ts'
import { runProgram } from '#kit/program.ts'
import { version } from '#kit/version.ts'
import { parseConfig } from './config.ts'
import { Logger } from './logger.ts'

await runProgram({
  name: 'deis-logger',
  parse: () => parseConfig(process.argv.slice(2), process.env, version),
  async start(config, log) {
    const logger = await Logger.start(config, { log })
    const { httpPort, adminPort, udpPort, tcpPort, tlsPort } = logger
    log.info({ httpPort, adminPort, udpPort, tcpPort, tlsPort }, 'the logger is up')
    // What reading the program has left behind.
    collectGarbage()
    return logger
  },
})
