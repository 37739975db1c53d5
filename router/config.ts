// The router's command line and environment, parsed once into a RouterConfig. A flag beats its variable; an empty
// variable counts as absent. Pure: arguments and environment come in, nothing of the process is read.

import { isIP } from 'node:net'
import { type ProgramCommand, readCommandLine, samePorts } from '#kit/command-line.ts'
import * as flag from '#kit/flag.ts'
import type { PublishAddress } from './control/published-status.ts'
import { parseHostname } from './model/hostname.ts'

/** RFC 1123 label, as names of namespaces and Services are. */
const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

/** As the label `topology.kubernetes.io/zone` of a node has it. */
const labelValue = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/

/** Entries of a status; more is a mistake. */
const mostAddresses = 32

const source = {
  kubeconfig: {
    ...flag.text(null, 'FILE', 'watch the cluster of this kubeconfig file'),
    choiceOf: 'source',
  },
  manifests: {
    ...flag.text(null, 'DIR', 'read manifests from this directory, without a cluster'),
    choiceOf: 'source',
  },
}

const fields = {
  /** All ports listen on it. */
  address: flag.listenAddress(),
  httpPort: flag.port(8080, 'plain HTTP', '0: any free port, as for the next three'),
  httpsPort: flag.port(6443, 'HTTPS'),
  builderPort: flag.port(2222, 'git push over SSH, passed on to the builder'),
  adminPort: flag.port(9090, 'health, metrics and status'),
  /** Null: the annotation `workerProcesses` decides, and without it there is one for each core. */
  workers: flag.count(null, [1, 256], 'data threads (default one for each core)'),
  /** Null: none is kept. */
  snapshot: flag.text(null, 'FILE', 'keep the configuration here for a start without the API server'),
  drainTimeout: flag.drainTimeout(25, 'how long open requests may finish after SIGTERM'),
  ingress: flag.onOff(true, 'serve Ingress objects beside annotated Services'),
  ingressController: flag.parsed(
    'router.deis.io/ingress-controller',
    'NAME',
    'a domain and a path, such as example.com/name',
    parseController,
    'spec.controller of the IngressClasses that are ours',
  ),
  ingressWithoutClass: flag.onOff(false, 'serve Ingress objects without a class'),
  externalNames: flag.onOff(false, 'send traffic to ExternalName Services'),
  publishService: flag.parsed(
    null,
    'NAMESPACE/NAME',
    'NAMESPACE/NAME of a Service',
    parseServiceName,
    'Service whose addresses Ingress objects get as status',
  ),
  publishAddresses: {
    ...flag.parsed<readonly PublishAddress[], readonly PublishAddress[]>(
      [],
      'A,B',
      `IP addresses or host names, ${mostAddresses} at most`,
      parseAddresses,
      'addresses for that status when the Service has none',
    ),
    name: 'publish-address',
  },
  /** As EndpointSlices name it in their hints; null: not known. */
  zone: flag.parsed(
    null,
    'ZONE',
    'the name of a zone',
    matching(labelValue),
    'zone that we are in: endpoints hinted for it go before others',
  ),
  watchNamespace: flag.parsed(
    null,
    'NAMESPACE',
    'the name of a namespace',
    matching(label),
    'route the objects of this namespace only (default all)',
  ),
  /** Its name is `deis-router`. */
  workload: flag.oneOf(
    'Deployment',
    ['Deployment', 'DaemonSet'],
    'KIND',
    'kind of the object that carries our settings',
  ),
  /** One watch for each Secret that is used, or one for all that there are. */
  secrets: flag.oneOf('named', ['named', 'all'], 'named|all', 'watch each Secret by its name, or all there are'),
}

type SourceConfig =
  /** `kubeconfig` null: the service account of the pod that we run in. */
  | { readonly kind: 'kubernetes'; readonly kubeconfig: string | null }
  | { readonly kind: 'manifests'; readonly directory: string }

export interface RouterConfig extends flag.ValuesOf<typeof fields> {
  readonly source: SourceConfig
  /** Where the Deployment `deis-router` and the platform's Secrets are. */
  readonly namespace: string
  /** Who we are among our replicas; null: not known, and a name has to be made up. */
  readonly podName: string | null
}

/**
 * Reads the arguments after `node main.ts`. All faults are reported together, as one StartupError with exit code 64.
 * `RATE_LIMIT_QPS` and `RATE_LIMIT_BURST` of older charts are accepted and mean nothing to a router that watches.
 */
export function parseConfig(
  argv: readonly string[],
  env: flag.Environment,
  version: string,
): ProgramCommand<RouterConfig> {
  const program = {
    name: 'deis-router',
    description: 'Edge router: follows Kubernetes objects and routes HTTP to the pods behind them.',
    version,
    prefix: 'DEIS_ROUTER_',
    flags: { source, fields },
  }
  return readCommandLine(program, argv, env, (values, faults) => {
    const { httpPort, httpsPort, builderPort, adminPort } = values.fields
    faults.push(...samePorts({ httpPort, httpsPort, builderPort, adminPort }))
    return {
      ...values.fields,
      source: parseSource(values.source, env, faults),
      namespace: parseNamespace(env.POD_NAMESPACE, faults),
      podName: parsePodName(env.POD_NAME, faults),
    }
  })
}

function parseSource(
  { kubeconfig, manifests: directory }: flag.ValuesOf<typeof source>,
  env: flag.Environment,
  faults: string[],
): SourceConfig {
  if (kubeconfig !== null && directory !== null)
    faults.push('--kubeconfig and --manifests exclude each other: routes come from a cluster or from a directory')
  if (directory !== null) return { kind: 'manifests', directory }
  if (kubeconfig === null && !env.KUBERNETES_SERVICE_HOST)
    faults.push('this is not a pod of a cluster: pass --kubeconfig FILE or --manifests DIR')
  return { kind: 'kubernetes', kubeconfig }
}

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

function matching(pattern: RegExp): (text: string) => string | null {
  return text => (pattern.test(text) ? text : null)
}
