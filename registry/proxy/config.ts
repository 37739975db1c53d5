// The proxy's command line and environment, parsed once into a ProxyConfig.

import { isIP } from 'node:net'
import { type Environment, type Flag, readCommandLine } from '#kit/command-line.ts'
import { type HostAndPort, hostAndPort, serviceAddress } from '#kit/host-and-port.ts'

export interface ProxyConfig {
  readonly address: string
  /** 0: the kernel chooses, for both. */
  readonly port: number
  /** Health and metrics. */
  readonly adminPort: number
  /** The registry. A name is looked up for each connection. */
  readonly target: HostAndPort
  readonly maxConnections: number
  /** Milliseconds, all of them. */
  readonly connectTimeout: number
  readonly idleTimeout: number
  /** How long connections may go on after SIGTERM. */
  readonly drainTimeout: number
}

export type ProxyCommand =
  | { readonly kind: 'run'; readonly config: ProxyConfig }
  /** `--help` or `--version`: print this on stdout and exit 0. */
  | { readonly kind: 'print'; readonly text: string }

const flags = {
  address: { name: 'address', argument: 'ADDRESS', help: 'IP address to listen on (default 0.0.0.0)' },
  port: {
    name: 'port',
    argument: 'PORT',
    help: 'where the node finds images (default 5555; 0: any free port, as for the next one)',
  },
  adminPort: { name: 'admin-port', argument: 'PORT', help: '/healthz and /metrics (default 9093)' },
  target: {
    name: 'target',
    argument: 'HOST:PORT',
    help: 'the registry (default DEIS_REGISTRY_SERVICE_HOST and _PORT)',
  },
  maxConnections: { name: 'max-connections', argument: 'N', help: 'open connections (default 1000)' },
  connectTimeout: { name: 'connect-timeout', argument: 'SECONDS', help: 'to the registry (default 10)' },
  idleTimeout: {
    name: 'idle-timeout',
    argument: 'SECONDS',
    help: 'of connections on which nothing moves (default 900)',
  },
  drainTimeout: { name: 'drain-timeout', argument: 'SECONDS', help: 'for connections after SIGTERM (default 60)' },
} as const satisfies Record<string, Flag>

/** Reads the arguments after `node main.ts`. All faults are reported together, as one StartupError with exit code 64. */
export function parseConfig(argv: readonly string[], env: Environment, version: string): ProxyCommand {
  const command = readCommandLine(
    {
      name: 'deis-registry-proxy',
      description: 'Makes the registry of the platform one of the node: plain TCP to its Service.',
      version,
      prefix: 'DEIS_REGISTRY_PROXY_',
      // A Service `deis-registry-proxy` would set this one, to a URL.
      flags: { ...flags, port: { ...flags.port, variable: 'DEIS_REGISTRY_PROXY_LISTEN_PORT' } },
    },
    argv,
    env,
  )
  if (command.kind === 'print') return command
  const { values } = command
  const before = values.faults.length
  const target =
    values.parsed('target', 'HOST:PORT', hostAndPort) ??
    serviceAddress(env, values.faults, 'DEIS_REGISTRY_SERVICE', 'DEIS_REGISTRY_SERVICE_PORT', 80)
  if (target === null && values.faults.length === before)
    values.faults.push('pass --target HOST:PORT: there is no Service deis-registry in the environment')
  const config: ProxyConfig = {
    address: values.parsed('address', 'an IP address', text => (isIP(text) === 0 ? null : text)) ?? '0.0.0.0',
    port: values.port('port', 5555),
    adminPort: values.port('adminPort', 9093),
    target: target ?? { host: '', port: 0 },
    maxConnections: values.number('maxConnections', 1, 100_000, 1000),
    connectTimeout: values.number('connectTimeout', 1, 600, 10) * 1000,
    idleTimeout: values.number('idleTimeout', 1, 86_400, 900) * 1000,
    drainTimeout: values.number('drainTimeout', 0, 86_400, 60) * 1000,
  }
  if (config.port !== 0 && config.port === config.adminPort)
    values.faults.push(`--port and --admin-port are both ${config.port}`)
  values.check()
  return { kind: 'run', config }
}
