// The command line of `npm start`, parsed once. What only this machine decides is a flag: where the data is, and the ports
// that people and programs outside use. All other ports are the kernel's choice.

import { resolve } from 'node:path'
import { type ProgramCommand, readCommandLine, samePorts } from '#kit/command-line.ts'
import * as flag from '#kit/flag.ts'
import type { Level } from '#kit/log.ts'

const place = {
  data: flag.text('data', 'DIR', 'where everything is kept'),
}

const fields = {
  address: flag.listenAddress('127.0.0.1', 'IP address that the ports below listen on'),
  httpPort: flag.port(8080, 'plain HTTP', '0: any free port, as for the next three'),
  httpsPort: flag.port(6443, 'HTTPS'),
  builderPort: flag.port(2222, 'git push over SSH'),
  adminPort: flag.port(9090, "the router's health, metrics and status"),
  accessLog: flag.onOff(false, 'show requests on stdout'),
  logLevel: flag.oneOf<Level, Level>(
    'warn',
    ['debug', 'info', 'warn', 'error'],
    'LEVEL',
    "of the platform's own log on stderr: debug, info, warn or error",
  ),
}

export interface PlatformConfig extends flag.ValuesOf<typeof fields> {
  /** Absolute. */
  readonly data: string
  /** As it was given. */
  readonly dataName: string
}

/** Reads the arguments after `npm start --`. All faults are reported together, as one StartupError with exit code 64. */
export function parseConfig(
  argv: readonly string[],
  env: flag.Environment,
  version: string,
): ProgramCommand<PlatformConfig> {
  const program = {
    name: 'npm start --',
    description:
      'The whole platform on this machine: router, controller, builder, registry, logger, and apps as processes.',
    version,
    prefix: 'DEIS_STANDALONE_',
    flags: { place, fields },
  }
  return readCommandLine(program, argv, env, ({ place: { data }, fields: rest }, faults) => {
    const { httpPort, httpsPort, builderPort, adminPort } = rest
    faults.push(...samePorts({ httpPort, httpsPort, builderPort, adminPort }))
    return { data: resolve(data), dataName: data, ...rest }
  })
}
