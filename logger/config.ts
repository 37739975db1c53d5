// The logger's command line and environment, parsed once into a LoggerConfig.

import { type ProgramCommand, readCommandLine, samePorts } from '#kit/command-line.ts'
import * as flag from '#kit/flag.ts'
import { type Network, parseNetwork } from './drains/networks.ts'

const ports = {
  address: flag.listenAddress(),
  /** Ports that are null are off. */
  httpPort: flag.port(8088, 'the retrieval API', '0: any, as for the others'),
  adminPort: flag.portOrOff(8089, 'metrics and health'),
  udpPort: flag.portOrOff(1514, 'syslog over UDP'),
  tcpPort: flag.portOrOff(1514, 'syslog over TCP'),
}

const secured = {
  tlsPort: flag.port(6514, 'syslog over TLS', 'off without --tls-certificate'),
  tlsCertificate: flag.text(null, 'FILE', 'PEM; read again when it changes'),
  tlsKey: flag.text(null, 'FILE', 'PEM; goes with --tls-certificate'),
  tlsAuthorities: flag.text(null, 'FILE', 'PEM; senders over TLS need a certificate that one of these has signed'),
}

const bounds = {
  folder: flag.required(
    flag.text(null, 'DIR', 'where lines and log drains are kept'),
    'there is no --folder to keep lines in',
    '',
  ),
  appSize: flag.megabytes(16, [1, 1_000_000], 'of an app on disk'),
  totalSize: flag.megabytes(2048, [1, 100_000_000], 'of all apps on disk'),
  maxApps: flag.count(10_000, [1, 1_000_000], 'apps that lines are kept of'),
  appLines: flag.count(5000, [1, 1_000_000], 'lines that a source of an app may say in a second'),
  appOctets: { ...flag.kilobytes(4096, [1, 1_000_000], 'kilobytes that it may say in a second'), name: 'app-rate' },
  udpRate: flag.count(20_000, [1, 10_000_000], 'datagrams of all senders in a second'),
  maxConnections: flag.count(1000, [1, 100_000], 'of each of TCP and TLS'),
  connectionsPerAddress: { ...flag.count(100, [1, 100_000], 'of one sender'), name: 'max-connections-per-address' },
  idleTimeout: flag.seconds(3600, [1, 86_400], 'of connections of senders'),
  maxFollowers: flag.count(200, [1, 100_000], 'requests that follow a log'),
  maxDrains: flag.count(1000, [1, 100_000], 'log drains'),
  drainNetworks: flag.parsed<readonly Network[], readonly Network[]>(
    [],
    'CIDR,...',
    'networks such as 10.1.0.0/16,fd00::/8',
    networksOf,
    'networks that are not public and that log drains may send to all the same',
  ),
  /** PEM. */
  drainAuthorities: flag.file(
    'certificates (PEM)',
    content => (content.includes('-----BEGIN CERTIFICATE-----') ? content : null),
    'PEM; who signs certificates of receivers, beside those that everybody trusts',
  ),
}

export interface LoggerConfig extends flag.ValuesOf<typeof ports>, flag.ValuesOf<typeof bounds> {
  readonly tls: TlsConfig | null
}

/** Files, as they are read again when they change. */
export interface TlsConfig {
  readonly port: number
  readonly certificate: string
  readonly key: string
  /** Who signs certificates of senders; null: none is asked for. */
  readonly authorities: string | null
}

/** Reads the arguments after `node main.ts`. All faults are reported together, as one StartupError with exit code 64. */
export function parseConfig(
  argv: readonly string[],
  env: flag.Environment,
  version: string,
): ProgramCommand<LoggerConfig> {
  const program = {
    name: 'deis-logger',
    description: 'Takes lines of apps by syslog, keeps the last ones, and gives them to who asks.',
    version,
    prefix: 'DEIS_LOGGER_',
    flags: { ports, secured, bounds },
  }
  return readCommandLine(program, argv, env, (values, faults) => {
    const { httpPort, adminPort, tcpPort } = values.ports
    const tls = tlsOf(values.secured, faults)
    faults.push(...samePorts({ httpPort, adminPort, tcpPort, tlsPort: tls?.port ?? null }))
    return { ...values.ports, tls, ...values.bounds }
  })
}

function tlsOf(given: flag.ValuesOf<typeof secured>, faults: string[]): TlsConfig | null {
  const { tlsPort: port, tlsCertificate: certificate, tlsKey: key, tlsAuthorities: authorities } = given
  if (certificate === null && key === null) {
    if (authorities !== null) faults.push('--tls-authorities goes with --tls-certificate and --tls-key')
    return null
  }
  if (certificate === null || key === null) faults.push('--tls-certificate and --tls-key go together')
  return { port, certificate: certificate ?? '', key: key ?? '', authorities }
}

function networksOf(text: string): readonly Network[] | null {
  const networks = text.split(',').map(each => parseNetwork(each.trim()))
  return networks.every(network => network !== null) ? networks : null
}
