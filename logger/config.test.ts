import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { configOf } from '#kit/command-line.ts'
import { StartupError } from '#kit/exit.ts'
import { type LoggerConfig, parseConfig } from './config.ts'

const pem = '-----BEGIN CERTIFICATE-----\n'
const directory = mkdtempSync(join(tmpdir(), 'logger-config-'))
const authorities = join(directory, 'ca.pem')
writeFileSync(authorities, pem)
afterAll(() => rmSync(directory, { recursive: true }))

const parse = (args: readonly string[], env: Readonly<Record<string, string>> = {}): LoggerConfig =>
  configOf(parseConfig(args, env, '1.2.3'))

test('what is not said', () => {
  expect(parse(['--folder', '/data'])).toEqual({
    ...{ address: '0.0.0.0', httpPort: 8088, adminPort: 8089, udpPort: 1514, tcpPort: 1514, tls: null },
    ...{ folder: '/data', appSize: 16_777_216, totalSize: 2_147_483_648, maxApps: 10_000 },
    ...{ appLines: 5000, appOctets: 4_194_304, udpRate: 20_000, maxConnections: 1000, connectionsPerAddress: 100 },
    ...{ idleTimeout: 3_600_000, maxFollowers: 200, maxDrains: 1000, drainNetworks: [], drainAuthorities: null },
  })
})

test('by variables, and what is off', () => {
  const tls = {
    DEIS_LOGGER_TLS_CERTIFICATE: 'a.crt',
    DEIS_LOGGER_TLS_KEY: 'a.key',
    DEIS_LOGGER_TLS_AUTHORITIES: 'ca.pem',
  }
  const env = {
    DEIS_LOGGER_FOLDER: '/x',
    DEIS_LOGGER_UDP_PORT: 'off',
    DEIS_LOGGER_DRAIN_NETWORKS: '10.0.0.0/8, fd00::/8',
  }
  expect(
    parse(['--admin-port', 'off', '--tcp-port', '0', '--drain-authorities', authorities], { ...env, ...tls }),
  ).toMatchObject({
    ...{ folder: '/x', udpPort: null, adminPort: null, tcpPort: 0, drainAuthorities: pem },
    drainNetworks: [
      { address: '10.0.0.0', prefix: 8 },
      { address: 'fd00::', prefix: 8 },
    ],
    tls: { port: 6514, certificate: 'a.crt', key: 'a.key', authorities: 'ca.pem' },
  })
})

const faults: [args: readonly string[], message: string][] = [
  [[], 'there is no --folder'],
  [['--udp-port', 'on'], '--udp-port must be a port or off'],
  [['--tcp-port', '65536'], '--tcp-port must be a port or off'],
  [['--tls-certificate', 'a'], '--tls-certificate and --tls-key go together'],
  [['--tls-authorities', 'a'], '--tls-authorities goes with'],
  [['--drain-networks', '10.0.0.0/8,x'], '--drain-networks must be networks'],
  [['--drain-authorities', '/dev/null'], '--drain-authorities must be a file with certificates'],
  [['--drain-authorities', 'nowhere'], '--drain-authorities must be a file with certificates'],
  [['--tcp-port', '8088'], '--http-port and --tcp-port are both 8088'],
  [['--app-size', '0'], '--app-size must be a whole number'],
  [['--address', 'localhost'], '--address must be an IP address'],
]
test.for(faults)('%j', ([args, message]) => {
  expect(() => parse(args)).toThrow(StartupError)
  expect(() => parse(args)).toThrow(message)
})
