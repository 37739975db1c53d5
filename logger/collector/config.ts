// The collector's command line and environment, parsed once into a CollectorConfig.

import { type ProgramCommand, readCommandLine } from '#kit/command-line.ts'
import * as flag from '#kit/flag.ts'
import { type HostAndPort, hostAndPort, serviceAddress } from '#kit/host-and-port.ts'

const syslogPort = 1514

const config = {
  /** Null: the service account of the pod that we run in. */
  kubeconfig: flag.text(
    null,
    'FILE',
    'read the pods of this kubeconfig file (default: the service account of the pod)',
  ),
  node: {
    ...flag.required(
      flag.text(null, 'NAME', 'the node whose pods are read'),
      'pass --node NAME (or NODE_NAME): the node whose pods are read',
      '',
    ),
    variable: 'NODE_NAME',
  },
  /** `NAMESPACE_NAME_UID/CONTAINER/N.log`. */
  pods: flag.text('/var/log/pods', 'DIR', "the kubelet's logs"),
  /** On the node. */
  state: flag.text('/var/log/deis-collector/positions.json', 'FILE', 'where it goes on after a restart'),
  logger: flag.required<HostAndPort>(
    flag.parsed(
      null,
      'HOST:PORT',
      'HOST:PORT',
      hostAndPort,
      'syslog over TCP (default DEIS_LOGGER_SERVICE_HOST and _PORT_SYSLOG)',
    ),
    'pass --logger HOST:PORT: there is no Service deis-logger in the environment',
    { host: '', port: 0 },
    (env, faults) => serviceAddress(env, faults, 'DEIS_LOGGER_SERVICE', 'DEIS_LOGGER_SERVICE_PORT_SYSLOG', syslogPort),
  ),
  /** Of the platform itself: no app is there. */
  platformNamespace: { ...flag.text('deis', 'NAMESPACE', 'of controller and router'), variable: 'POD_NAMESPACE' },
  address: flag.listenAddress('0.0.0.0', 'of the admin port'),
  adminPort: flag.port(8090, '/healthz and /metrics', '0: any free port'),
}

export type CollectorConfig = flag.ValuesOf<typeof config>

/** Reads the arguments after `node main.ts`. All faults are reported together, as one StartupError with exit code 64. */
export function parseConfig(
  argv: readonly string[],
  env: flag.Environment,
  version: string,
): ProgramCommand<CollectorConfig> {
  const program = {
    name: 'deis-collector',
    description: "Sends what the containers of a node's pods write to the logger.",
    version,
    prefix: 'DEIS_COLLECTOR_',
    flags: { config },
  }
  return readCommandLine(program, argv, env, (values, faults) => {
    if (values.config.kubeconfig === null && !env.KUBERNETES_SERVICE_HOST)
      faults.push('this is not a pod of a cluster: pass --kubeconfig FILE')
    return values.config
  })
}
