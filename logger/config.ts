// The logger's command line and environment, parsed once into a LoggerConfig.

import { isIP } from 'node:net'
import { type Environment, type Flag, type FlagValues, readCommandLine } from '#kit/command-line.ts'
import { type Network, parseNetwork } from './drains/networks.ts'

export interface LoggerConfig {
  readonly address: string
  /** The retrieval API. 0: the kernel chooses, as for all ports. */
  readonly httpPort: number
  /** Metrics and health; null: off, as for the syslog ports. */
  readonly adminPort: number | null
  readonly udpPort: number | null
  readonly tcpPort: number | null
  readonly tls: TlsConfig | null
  readonly folder: string
  /** Octets of an app, and of all. */
  readonly appSize: number
  readonly totalSize: number
  readonly maxApps: number
  /** Lines and octets that a source of an app may say in a second. */
  readonly appLines: number
  readonly appOctets: number
  /** Datagrams of all senders that are looked at in a second. */
  readonly udpRate: number
  /** Connections of senders, of each syslog port. */
  readonly maxConnections: number
  readonly connectionsPerAddress: number
  /** Milliseconds. */
  readonly idleTimeout: number
  readonly maxFollowers: number
  readonly maxDrains: number
  /** Networks that are not public and that log drains may send to. */
  readonly drainNetworks: readonly Network[]
  /** PEM: who signs certificates of receivers, beside those that everybody trusts. */
  readonly drainAuthorities: string | null
}

/** Files, as they are read again when they change. */
export interface TlsConfig {
  readonly port: number
  readonly certificate: string
  readonly key: string
  /** Who signs certificates of senders; null: none is asked for. */
  readonly authorities: string | null
}

export type LoggerCommand =
  | { readonly kind: 'run'; readonly config: LoggerConfig }
  /** `--help` or `--version`: print this on stdout and exit 0. */
  | { readonly kind: 'print'; readonly text: string }

const flags = {
  address: { name: 'address', argument: 'ADDRESS', help: 'IP address to listen on (default 0.0.0.0)' },
  httpPort: {
    name: 'http-port',
    argument: 'PORT',
    help: 'the retrieval API (default 8088; 0: any, as for the others)',
  },
  adminPort: { name: 'admin-port', argument: 'PORT|off', help: 'metrics and health (default 8089)' },
  udpPort: { name: 'udp-port', argument: 'PORT|off', help: 'syslog over UDP (default 1514)' },
  tcpPort: { name: 'tcp-port', argument: 'PORT|off', help: 'syslog over TCP (default 1514)' },
  tlsPort: {
    name: 'tls-port',
    argument: 'PORT',
    help: 'syslog over TLS (default 6514; off without --tls-certificate)',
  },
  tlsCertificate: { name: 'tls-certificate', argument: 'FILE', help: 'PEM; read again when it changes' },
  tlsKey: { name: 'tls-key', argument: 'FILE', help: 'PEM; goes with --tls-certificate' },
  tlsAuthorities: {
    name: 'tls-authorities',
    argument: 'FILE',
    help: 'PEM; senders over TLS need a certificate that one of these has signed',
  },
  folder: { name: 'folder', argument: 'DIR', help: 'where lines and log drains are kept' },
  appSize: { name: 'app-size', argument: 'MB', help: 'of an app on disk (default 16)' },
  totalSize: { name: 'total-size', argument: 'MB', help: 'of all apps on disk (default 2048)' },
  maxApps: { name: 'max-apps', argument: 'N', help: 'apps that lines are kept of (default 10000)' },
  appLines: {
    name: 'app-lines',
    argument: 'N',
    help: 'lines that a source of an app may say in a second (default 5000)',
  },
  appRate: { name: 'app-rate', argument: 'KB', help: 'kilobytes that it may say in a second (default 4096)' },
  udpRate: { name: 'udp-rate', argument: 'N', help: 'datagrams of all senders in a second (default 20000)' },
  maxConnections: { name: 'max-connections', argument: 'N', help: 'of each of TCP and TLS (default 1000)' },
  perAddress: { name: 'max-connections-per-address', argument: 'N', help: 'of one sender (default 100)' },
  idleTimeout: { name: 'idle-timeout', argument: 'SECONDS', help: 'of connections of senders (default 3600)' },
  maxFollowers: { name: 'max-followers', argument: 'N', help: 'requests that follow a log (default 200)' },
  maxDrains: { name: 'max-drains', argument: 'N', help: 'log drains (default 1000)' },
  drainNetworks: {
    name: 'drain-networks',
    argument: 'CIDR,...',
    help: 'networks that are not public and that log drains may send to all the same',
  },
  drainAuthorities: {
    name: 'drain-authorities',
    argument: 'FILE',
    help: 'PEM; who signs certificates of receivers, beside those that everybody trusts',
  },
} as const satisfies Record<string, Flag>

type Values = FlagValues<keyof typeof flags>

const megabyte = 1024 * 1024

/**
 * Reads the arguments after `node main.ts`. `readText` gives a file's text, or null. All faults are reported together, as one
 * StartupError with exit code 64.
 */
export function parseConfig(
  argv: readonly string[],
  env: Environment,
  version: string,
  readText: (file: string) => string | null,
): LoggerCommand {
  const description = 'Takes lines of apps by syslog, keeps the last ones, and gives them to who asks.'
  const command = readCommandLine(
    { name: 'deis-logger', description, version, prefix: 'DEIS_LOGGER_', flags },
    argv,
    env,
  )
  if (command.kind === 'print') return command
  const { values } = command
  const config: LoggerConfig = {
    address: values.parsed('address', 'an IP address', text => (isIP(text) === 0 ? null : text)) ?? '0.0.0.0',
    httpPort: values.port('httpPort', 8088),
    adminPort: portOrOff(values, 'adminPort', 8089),
    udpPort: portOrOff(values, 'udpPort', 1514),
    tcpPort: portOrOff(values, 'tcpPort', 1514),
    tls: tlsOf(values),
    folder: values.text('folder') ?? '',
    appSize: values.number('appSize', 1, 1_000_000, 16) * megabyte,
    totalSize: values.number('totalSize', 1, 100_000_000, 2048) * megabyte,
    maxApps: values.number('maxApps', 1, 1_000_000, 10_000),
    appLines: values.number('appLines', 1, 1_000_000, 5000),
    appOctets: values.number('appRate', 1, 1_000_000, 4096) * 1024,
    udpRate: values.number('udpRate', 1, 10_000_000, 20_000),
    maxConnections: values.number('maxConnections', 1, 100_000, 1000),
    connectionsPerAddress: values.number('perAddress', 1, 100_000, 100),
    idleTimeout: values.number('idleTimeout', 1, 86_400, 3600) * 1000,
    maxFollowers: values.number('maxFollowers', 1, 100_000, 200),
    maxDrains: values.number('maxDrains', 1, 100_000, 1000),
    drainNetworks: values.parsed('drainNetworks', 'networks such as 10.1.0.0/16,fd00::/8', networksOf) ?? [],
    drainAuthorities: values.parsed('drainAuthorities', 'a file with certificates (PEM)', file =>
      certificatesOf(readText(file)),
    ),
  }
  if (config.folder === '') values.faults.push('there is no --folder to keep lines in')
  checkPorts(values, config)
  values.check()
  return { kind: 'run', config }
}

function portOrOff(values: Values, key: 'adminPort' | 'udpPort' | 'tcpPort', absent: number): number | null {
  const given = values.parsed(key, 'a port or off', text => {
    if (text === 'off') return 'off'
    return /^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : null
  })
  return given === 'off' ? null : (given ?? absent)
}

function tlsOf(values: Values): TlsConfig | null {
  const certificate = values.text('tlsCertificate')
  const key = values.text('tlsKey')
  const authorities = values.text('tlsAuthorities')
  const port = values.port('tlsPort', 6514)
  if (certificate === null && key === null) {
    if (authorities !== null) values.faults.push('--tls-authorities goes with --tls-certificate and --tls-key')
    return null
  }
  if (certificate === null || key === null) values.faults.push('--tls-certificate and --tls-key go together')
  return { port, certificate: certificate ?? '', key: key ?? '', authorities }
}

function networksOf(text: string): Network[] | null {
  const networks = text.split(',').map(each => parseNetwork(each.trim()))
  return networks.every(network => network !== null) ? networks : null
}

function certificatesOf(text: string | null): string | null {
  return text?.includes('-----BEGIN CERTIFICATE-----') ? text : null
}

function checkPorts(values: Values, { httpPort, adminPort, tcpPort, tls }: LoggerConfig): void {
  const taken = new Map<number, string>()
  const ports = [
    ['--http-port', httpPort],
    ['--admin-port', adminPort],
    ['--tcp-port', tcpPort],
    ['--tls-port', tls?.port ?? null],
  ] as const
  for (const [name, port] of ports) {
    if (port === null || port === 0) continue
    const other = taken.get(port)
    if (other !== undefined) values.faults.push(`${other} and ${name} are both ${port}`)
    taken.set(port, name)
  }
}
