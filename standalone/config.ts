// The command line of `npm start`, parsed once. What only this machine decides is a flag: where the data is, and the ports
// that people and programs outside use. All other ports are the kernel's choice.

import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { type Environment, type Flag, readCommandLine } from '#kit/command-line.ts'
import type { Level } from '#kit/log.ts'

export interface PlatformConfig {
  /** Absolute. */
  readonly data: string
  /** As it was given. */
  readonly dataName: string
  /** IP address of the ports below. */
  readonly address: string
  /** 0: the kernel chooses, for each. */
  readonly httpPort: number
  readonly httpsPort: number
  readonly builderPort: number
  /** Of the router. */
  readonly adminPort: number
  /** Show it on stdout. */
  readonly accessLog: boolean
  readonly logLevel: Level
}

export type PlatformCommand =
  | { readonly kind: 'run'; readonly config: PlatformConfig }
  /** `--help` or `--version`: print this on stdout and exit 0. */
  | { readonly kind: 'print'; readonly text: string }

const flags = {
  data: { name: 'data', argument: 'DIR', help: 'where everything is kept (default data)' },
  address: {
    name: 'address',
    argument: 'ADDRESS',
    help: 'IP address that the ports below listen on (default 127.0.0.1)',
  },
  httpPort: {
    name: 'http-port',
    argument: 'PORT',
    help: 'plain HTTP (default 8080; 0: any free port, as for the next three)',
  },
  httpsPort: { name: 'https-port', argument: 'PORT', help: 'HTTPS (default 6443)' },
  builderPort: { name: 'builder-port', argument: 'PORT', help: 'git push over SSH (default 2222)' },
  adminPort: { name: 'admin-port', argument: 'PORT', help: "the router's health, metrics and status (default 9090)" },
  accessLog: { name: 'access-log', argument: 'on|off', help: 'show requests on stdout (default off)' },
  logLevel: {
    name: 'log-level',
    argument: 'LEVEL',
    help: "of the platform's own log on stderr: debug, info, warn or error (default warn)",
  },
} as const satisfies Record<string, Flag>

/** Reads the arguments after `npm start --`. All faults are reported together, as one StartupError with exit code 64. */
export function parseConfig(argv: readonly string[], env: Environment, version: string): PlatformCommand {
  const command = readCommandLine(
    {
      name: 'npm start --',
      description:
        'The whole platform on this machine: router, controller, builder, registry, logger, and apps as processes.',
      version,
      prefix: 'DEIS_STANDALONE_',
      flags,
    },
    argv,
    env,
  )
  if (command.kind === 'print') return command
  const { values } = command
  const dataName = values.text('data') ?? 'data'
  const config: PlatformConfig = {
    data: resolve(dataName),
    dataName,
    address: values.parsed('address', 'an IP address', text => (isIP(text) === 0 ? null : text)) ?? '127.0.0.1',
    httpPort: values.port('httpPort', 8080),
    httpsPort: values.port('httpsPort', 6443),
    builderPort: values.port('builderPort', 2222),
    adminPort: values.port('adminPort', 9090),
    accessLog: values.onOff('accessLog', 'off'),
    logLevel: values.choice('logLevel', ['debug', 'info', 'warn', 'error'], 'warn'),
  }
  values.faults.push(...samePorts(config))
  values.check()
  return { kind: 'run', config }
}

function samePorts(config: PlatformConfig): readonly string[] {
  const keys = ['httpPort', 'httpsPort', 'builderPort', 'adminPort'] as const
  return keys.flatMap((key, at) => {
    const other = keys.slice(0, at).find(earlier => config[earlier] !== 0 && config[earlier] === config[key])
    return other === undefined ? [] : [`--${flags[other].name} and --${flags[key].name} are both ${config[key]}`]
  })
}
