// The router's command line and environment, parsed once into a RouterConfig. A flag beats its variable; an empty
// variable counts as absent. Pure: arguments and environment come in, nothing of the process is read.

import { isIP } from 'node:net'
import { type Environment, type Flag, readCommandLine } from '#kit/command-line.ts'
import type { PublishAddress } from './control/published-status.ts'
import { parseHostname } from './model/hostname.ts'

type SourceConfig =
  /** `kubeconfig` null: the service account of the pod that we run in. */
  | { readonly kind: 'kubernetes'; readonly kubeconfig: string | null }
  | { readonly kind: 'manifests'; readonly directory: string }

/** One entry of an Ingress's `status.loadBalancer.ingress`. */

export interface RouterConfig {
  readonly source: SourceConfig
  /** Where the Deployment `deis-router` and the platform's Secrets are. */
  readonly namespace: string
  /** Who we are among our replicas; null: not known, and a name has to be made up. */
  readonly podName: string | null
  /** IP address that all ports listen on. */
  readonly address: string
  /** 0: the kernel chooses, for each port. */
  readonly httpPort: number
  readonly httpsPort: number
  readonly builderPort: number
  readonly adminPort: number
  /** Data threads; null: the annotation `workerProcesses` decides, and without it there is one for each core. */
  readonly workers: number | null
  /** File that the configuration in force is kept in for a start without the API server; null: none is kept. */
  readonly snapshot: string | null
  /** How long open exchanges may go on after SIGTERM, milliseconds. */
  readonly drainTimeout: number
  /** Serve Ingress objects beside annotated Services. */
  readonly ingress: boolean
  /** The `spec.controller` of the IngressClasses that are ours. */
  readonly ingressController: string
  /** Serve Ingress objects that name no class too. */
  readonly ingressWithoutClass: boolean
  /** Send traffic to what Services of type ExternalName name. */
  readonly externalNames: boolean
  /** The Service in front of us, whose addresses the status of Ingress objects tells; null: none. */
  readonly publishService: { readonly namespace: string; readonly name: string } | null
  /** What that status tells when there is no such Service, or it has no address yet. */
  readonly publishAddresses: readonly PublishAddress[]
  /** The zone that we are in, as EndpointSlices name it in their hints; null: not known. */
  readonly zone: string | null
  /** The one namespace whose objects are routed; null: all. */
  readonly watchNamespace: string | null
  /** Kind of the object `deis-router` whose annotations are the router's settings. */
  readonly workload: 'Deployment' | 'DaemonSet'
  /** One watch for each Secret that is used, or one for all that there are. */
  readonly secrets: 'named' | 'all'
}

export type RouterCommand =
  | { readonly kind: 'run'; readonly config: RouterConfig }
  /** `--help` or `--version`: print this on stdout and exit 0. */
  | { readonly kind: 'print'; readonly text: string }

const defaultIngressController = 'router.deis.io/ingress-controller'
/** Entries of a status; more is a mistake. */
const mostAddresses = 32

const flags = {
  kubeconfig: flag('kubeconfig', 'FILE', 'watch the cluster of this kubeconfig file'),
  manifests: flag('manifests', 'DIR', 'read manifests from this directory, without a cluster'),
  address: flag('address', 'ADDRESS', 'IP address to listen on (default 0.0.0.0)'),
  httpPort: flag('http-port', 'PORT', 'plain HTTP (default 8080; 0: any free port, as for the next three)'),
  httpsPort: flag('https-port', 'PORT', 'HTTPS (default 6443)'),
  builderPort: flag('builder-port', 'PORT', 'git push over SSH, passed on to the builder (default 2222)'),
  adminPort: flag('admin-port', 'PORT', 'health, metrics and status (default 9090)'),
  workers: flag('workers', 'N', 'data threads (default one for each core)'),
  snapshot: flag('snapshot', 'FILE', 'keep the configuration here for a start without the API server'),
  drainTimeout: flag('drain-timeout', 'SECONDS', 'how long open requests may finish after SIGTERM (default 25)'),
  ingress: flag('ingress', 'on|off', 'serve Ingress objects beside annotated Services (default on)'),
  ingressController: flag(
    'ingress-controller',
    'NAME',
    `spec.controller of the IngressClasses that are ours (default ${defaultIngressController})`,
  ),
  ingressWithoutClass: flag('ingress-without-class', 'on|off', 'serve Ingress objects without a class (default off)'),
  externalNames: flag('external-names', 'on|off', 'send traffic to ExternalName Services (default off)'),
  publishService: flag('publish-service', 'NAMESPACE/NAME', 'Service whose addresses Ingress objects get as status'),
  publishAddress: flag('publish-address', 'A,B', 'addresses for that status when the Service has none'),
  zone: flag('zone', 'ZONE', 'zone that we are in: endpoints hinted for it go before others'),
  watchNamespace: flag('watch-namespace', 'NAMESPACE', 'route the objects of this namespace only (default all)'),
  workload: flag('workload', 'KIND', 'kind of the object that carries our settings (default Deployment)'),
  secrets: flag('secrets', 'named|all', 'watch each Secret by its name, or all there are (default named)'),
} as const satisfies Record<string, Flag>

function program(version: string) {
  return {
    name: 'deis-router',
    description: 'Edge router: follows Kubernetes objects and routes HTTP to the pods behind them.',
    version,
    prefix: 'DEIS_ROUTER_',
    flags,
  } as const
}

/**
 * Reads the arguments after `node main.ts`. All faults are reported together, as one StartupError with exit code 64.
 * `RATE_LIMIT_QPS` and `RATE_LIMIT_BURST` of older charts are accepted and mean nothing to a router that watches.
 */
export function parseConfig(argv: readonly string[], env: Environment, version: string): RouterCommand {
  const command = readCommandLine(program(version), argv, env)
  if (command.kind === 'print') return command
  const { values } = command
  const { faults } = values
  values.alternatives(['kubeconfig', 'manifests'])
  const config: RouterConfig = {
    source: parseSource(values.text('kubeconfig'), values.text('manifests'), env, faults),
    namespace: parseNamespace(env.POD_NAMESPACE, faults),
    podName: parsePodName(env.POD_NAME, faults),
    address: parseAddress(values.text('address'), faults),
    httpPort: values.port('httpPort', 8080),
    httpsPort: values.port('httpsPort', 6443),
    builderPort: values.port('builderPort', 2222),
    adminPort: values.port('adminPort', 9090),
    workers: values.number('workers', 1, 256, null),
    snapshot: values.text('snapshot'),
    drainTimeout: values.number('drainTimeout', 0, 86_400, 25) * 1000,
    ingress: values.onOff('ingress', 'on'),
    ingressController:
      values.parsed('ingressController', 'a domain and a path, such as example.com/name', parseController) ??
      defaultIngressController,
    ingressWithoutClass: values.onOff('ingressWithoutClass', 'off'),
    externalNames: values.onOff('externalNames', 'off'),
    publishService: values.parsed('publishService', 'NAMESPACE/NAME of a Service', parseServiceName),
    publishAddresses:
      values.parsed('publishAddress', `IP addresses or host names, ${mostAddresses} at most`, parseAddresses) ?? [],
    zone: values.parsed('zone', 'the name of a zone', text => (labelValue.test(text) ? text : null)),
    watchNamespace: values.parsed('watchNamespace', 'the name of a namespace', text =>
      label.test(text) ? text : null,
    ),
    workload: values.choice('workload', ['Deployment', 'DaemonSet'], 'Deployment'),
    secrets: values.choice('secrets', ['named', 'all'], 'named'),
  }
  checkPortsDiffer(config, faults)
  values.check()
  return { kind: 'run', config }
}

function parseSource(
  kubeconfig: string | null,
  directory: string | null,
  env: Environment,
  faults: string[],
): SourceConfig {
  if (kubeconfig !== null && directory !== null)
    faults.push('--kubeconfig and --manifests exclude each other: routes come from a cluster or from a directory')
  if (directory !== null) return { kind: 'manifests', directory }
  if (kubeconfig === null && !env.KUBERNETES_SERVICE_HOST)
    faults.push('this is not a pod of a cluster: pass --kubeconfig FILE or --manifests DIR')
  return { kind: 'kubernetes', kubeconfig }
}

/** RFC 1123 label, as names of namespaces and Services are. */
const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

/** As the label `topology.kubernetes.io/zone` of a node has it. */
const labelValue = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/

function parseNamespace(raw: string | undefined, faults: string[]): string {
  if (raw === undefined || raw === '') return 'default'
  if (!label.test(raw)) faults.push(`POD_NAMESPACE must be the name of a namespace, not ${JSON.stringify(raw)}`)
  return raw
}

function parsePodName(raw: string | undefined, faults: string[]): string | null {
  if (raw === undefined || raw === '') return null
  if (raw !== parseHostname(raw)) faults.push(`POD_NAME must be the name of a pod, not ${JSON.stringify(raw)}`)
  return raw
}

/** What the API server takes for `spec.controller`. */
function parseController(raw: string): string | null {
  const slash = raw.indexOf('/')
  const domain = raw.slice(0, Math.max(0, slash))
  const isDomain = domain !== '' && parseHostname(domain) === domain
  return isDomain && raw.length <= 250 && /^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/.test(raw.slice(slash + 1)) ? raw : null
}

function parseServiceName(raw: string): { readonly namespace: string; readonly name: string } | null {
  const [namespace = '', name = '', ...rest] = raw.split('/')
  return label.test(namespace) && label.test(name) && rest.length === 0 ? { namespace, name } : null
}

function parseAddresses(raw: string): readonly PublishAddress[] | null {
  const texts = [...new Set(raw.split(',').map(text => text.trim().toLowerCase()))]
  const addresses = texts.map(parsePublishAddress)
  return texts.length <= mostAddresses && addresses.every(address => address !== null) ? addresses : null
}

function parsePublishAddress(text: string): PublishAddress | null {
  if (isIP(text) !== 0) return text.includes('%') ? null : { ip: text }
  // A last label of digits only is an IPv4 address that somebody mistyped.
  const hostname = /(^|\.)[0-9]+$/.test(text) ? null : parseHostname(text)
  return hostname === null ? null : { hostname }
}

function parseAddress(raw: string | null, faults: string[]): string {
  if (raw === null) return '0.0.0.0'
  if (isIP(raw) === 0) faults.push(`--address must be an IP address, not ${JSON.stringify(raw)}`)
  return raw
}

function checkPortsDiffer(config: RouterConfig, faults: string[]): void {
  const owners = new Map<number, string>()
  const ports = [
    ['--http-port', config.httpPort],
    ['--https-port', config.httpsPort],
    ['--builder-port', config.builderPort],
    ['--admin-port', config.adminPort],
  ] as const
  for (const [name, port] of ports) {
    if (port === 0) continue
    const owner = owners.get(port)
    if (owner !== undefined) faults.push(`${owner} and ${name} are both ${port}`)
    else owners.set(port, name)
  }
}

function flag(name: string, argument: string, help: string): Flag {
  return { name, argument, help }
}
