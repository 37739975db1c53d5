// The collector's command line and environment, parsed once into a CollectorConfig.

import { isIP } from 'node:net'
import { type Environment, type Flag, type FlagValues, readCommandLine } from '#kit/command-line.ts'
import { type HostAndPort, hostAndPort, serviceAddress } from '#kit/host-and-port.ts'

export interface CollectorConfig {
  /** Null: the service account of the pod that we run in. */
  readonly kubeconfig: string | null
  /** Only pods of this node are read. */
  readonly node: string
  /** Where the kubelet keeps logs: `NAMESPACE_NAME_UID/CONTAINER/N.log`. */
  readonly pods: string
  /** Where the positions are kept, on the node. */
  readonly state: string
  /** Takes syslog over TCP. */
  readonly logger: HostAndPort
  /** Of the platform itself: controller and router are there, and no app is. */
  readonly platformNamespace: string
  readonly address: string
  /** 0: the kernel chooses. */
  readonly adminPort: number
}

export type CollectorCommand =
  | { readonly kind: 'run'; readonly config: CollectorConfig }
  /** `--help` or `--version`: print this on stdout and exit 0. */
  | { readonly kind: 'print'; readonly text: string }

const flags = {
  kubeconfig: {
    name: 'kubeconfig',
    argument: 'FILE',
    help: 'read the pods of this kubeconfig file (default: the service account of the pod)',
  },
  node: { name: 'node', argument: 'NAME', help: 'the node whose pods are read', variable: 'NODE_NAME' },
  pods: { name: 'pods', argument: 'DIR', help: "the kubelet's logs (default /var/log/pods)" },
  state: {
    name: 'state',
    argument: 'FILE',
    help: 'where it goes on after a restart (default /var/log/deis-collector/positions.json)',
  },
  logger: {
    name: 'logger',
    argument: 'HOST:PORT',
    help: 'syslog over TCP (default DEIS_LOGGER_SERVICE_HOST and _PORT_SYSLOG)',
  },
  platformNamespace: {
    name: 'platform-namespace',
    argument: 'NAMESPACE',
    help: 'of controller and router (default deis)',
    variable: 'POD_NAMESPACE',
  },
  address: { name: 'address', argument: 'ADDRESS', help: 'of the admin port (default 0.0.0.0)' },
  adminPort: {
    name: 'admin-port',
    argument: 'PORT',
    help: '/healthz and /metrics (default 8090; 0: any free port)',
  },
} as const satisfies Record<string, Flag>

type Values = FlagValues<keyof typeof flags>

const syslogPort = 1514

/** Reads the arguments after `node main.ts`. All faults are reported together, as one StartupError with exit code 64. */
export function parseConfig(argv: readonly string[], env: Environment, version: string): CollectorCommand {
  const command = readCommandLine(
    {
      name: 'deis-collector',
      description: "Sends what the containers of a node's pods write to the logger.",
      version,
      prefix: 'DEIS_COLLECTOR_',
      flags,
    },
    argv,
    env,
  )
  if (command.kind === 'print') return command
  const { values } = command
  const kubeconfig = values.text('kubeconfig')
  if (kubeconfig === null && !env.KUBERNETES_SERVICE_HOST)
    values.faults.push('this is not a pod of a cluster: pass --kubeconfig FILE')
  const node = values.text('node')
  if (node === null) values.faults.push('pass --node NAME (or NODE_NAME): the node whose pods are read')
  const logger = loggerOf(values, env)
  const config: CollectorConfig = {
    kubeconfig,
    node: node ?? '',
    pods: values.text('pods') ?? '/var/log/pods',
    state: values.text('state') ?? '/var/log/deis-collector/positions.json',
    logger: logger ?? { host: '', port: 0 },
    platformNamespace: values.text('platformNamespace') ?? 'deis',
    address: values.parsed('address', 'an IP address', text => (isIP(text) === 0 ? null : text)) ?? '0.0.0.0',
    adminPort: values.port('adminPort', 8090),
  }
  values.check()
  return { kind: 'run', config }
}

function loggerOf(values: Values, env: Environment): HostAndPort | null {
  const before = values.faults.length
  const logger =
    values.parsed('logger', 'HOST:PORT', hostAndPort) ??
    serviceAddress(env, values.faults, 'DEIS_LOGGER_SERVICE', 'DEIS_LOGGER_SERVICE_PORT_SYSLOG', syslogPort)
  if (logger === null && values.faults.length === before)
    values.faults.push('pass --logger HOST:PORT: there is no Service deis-logger in the environment')
  return logger
}
