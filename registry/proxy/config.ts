// The proxy's command line and environment, parsed once into a ProxyConfig.

import { type ProgramCommand, readCommandLine, samePorts } from '#kit/command-line.ts'
import * as flag from '#kit/flag.ts'
import { type HostAndPort, hostAndPort, serviceAddress } from '#kit/host-and-port.ts'

const config = {
  address: flag.listenAddress(),
  port: {
    ...flag.port(5555, 'where the node finds images', '0: any free port, as for the next one'),
    // A Service `deis-registry-proxy` would set DEIS_REGISTRY_PROXY_PORT, to a URL.
    variable: 'DEIS_REGISTRY_PROXY_LISTEN_PORT',
  },
  adminPort: flag.port(9093, '/healthz and /metrics'),
  /** A name is looked up for each connection. */
  target: flag.required<HostAndPort>(
    flag.parsed(
      null,
      'HOST:PORT',
      'HOST:PORT',
      hostAndPort,
      'the registry (default DEIS_REGISTRY_SERVICE_HOST and _PORT)',
    ),
    'pass --target HOST:PORT: there is no Service deis-registry in the environment',
    { host: '', port: 0 },
    (env, faults) => serviceAddress(env, faults, 'DEIS_REGISTRY_SERVICE', 'DEIS_REGISTRY_SERVICE_PORT', 80),
  ),
  maxConnections: flag.count(1000, [1, 100_000], 'open connections'),
  connectTimeout: flag.seconds(10, [1, 600], 'to the registry'),
  idleTimeout: flag.seconds(900, [1, 86_400], 'of connections on which nothing moves'),
  drainTimeout: flag.drainTimeout(60, 'for connections after SIGTERM'),
}

export type ProxyConfig = flag.ValuesOf<typeof config>

/** Reads the arguments after `node main.ts`. All faults are reported together, as one StartupError with exit code 64. */
export function parseConfig(
  argv: readonly string[],
  env: flag.Environment,
  version: string,
): ProgramCommand<ProxyConfig> {
  const program = {
    name: 'deis-registry-proxy',
    description: 'Makes the registry of the platform one of the node: plain TCP to its Service.',
    version,
    prefix: 'DEIS_REGISTRY_PROXY_',
    flags: { config },
  }
  return readCommandLine(program, argv, env, (values, faults) => {
    const { port, adminPort } = values.config
    faults.push(...samePorts({ port, adminPort }))
    return values.config
  })
}
