// The controller's command line and environment, parsed once into a ControllerConfig. Flags are for what differs between
// installations; what charts of Deis have always given as variables keeps its names (controller contract, section 11).

import { join } from 'node:path'
import { type ProgramCommand, readCommandLine, samePorts } from '#kit/command-line.ts'
import * as flag from '#kit/flag.ts'
import { httpUrl, serviceUrl } from '#kit/service-url.ts'
import { defaultPlanOptions, type PlanOptions } from './cluster/kubernetes/plan-options.ts'
import { domainOf } from './domain/hostname.ts'
import { hostName, type OwnRegistryNames } from './domain/own-registry.ts'
import type { ProcfilePolicy } from './domain/procfile.ts'
import type { StoreTarget } from './store/open-store.ts'
import { Variables } from './variables.ts'

const listening = {
  address: flag.listenAddress(),
  port: flag.port(8000, 'the API', '0: any free port, as for the next one'),
  /** For the operator alone. */
  adminPort: flag.port(9091, 'metrics and health'),
}

const keeping = {
  // Not quoted in a fault: it may hold a password.
  database: { ...flag.text(null, 'URL', 'postgresql://user:password@host:port/name'), choiceOf: 'database' },
  sqlite: {
    ...flag.text(null, 'FILE', 'keep everything in this file, without a database server'),
    choiceOf: 'database',
  },
}

const running = {
  kubeconfig: {
    ...flag.text(null, 'FILE', 'run apps on the cluster of this kubeconfig file'),
    choiceOf: 'cluster',
  },
  local: {
    ...flag.text(null, 'DIR', 'run apps as processes of this machine; DIR is what they leave behind'),
    choiceOf: 'cluster',
  },
  manifests: flag.text(null, 'DIR', 'with --local: where the router reads (default DIR/manifests)'),
}

const fields = {
  /** Then they are left to the next controller. */
  drainTimeout: flag.drainTimeout(
    600,
    'how long deploys may go on after SIGTERM before the next start has to end them',
  ),
  registration: {
    ...flag.oneOf('enabled', ['enabled', 'disabled', 'admin_only'], 'MODE', 'enabled, disabled or admin_only'),
    variable: 'REGISTRATION_MODE',
  },
  trustedProxies: flag.list(
    ['loopback', 'linklocal', 'uniquelocal'],
    'A,B',
    'whose X-Forwarded-For counts: networks, or loopback, linklocal, uniquelocal (default those three)',
  ),
  /** Lower case; null: not known. */
  platformDomain: {
    ...flag.parsed(
      null,
      'DOMAIN',
      'a domain',
      text => domainOf(text)?.toLowerCase() ?? null,
      'names below it belong to the app of that name',
    ),
    variable: 'PLATFORM_DOMAIN',
  },
  /** Null: there is none, and images are what they are called. */
  registry: flag.otherwise<URL | null>(
    flag.parsed(
      null,
      'URL',
      'a URL such as http://127.0.0.1:5000',
      httpUrl,
      'where images of apps are, such as http://127.0.0.1:5000',
    ),
    (env, faults) => serviceUrl(env, faults, 'DEIS_REGISTRY_SERVICE'),
  ),
  registryService: flag.text('deis-registry', 'NAME', 'what the registry calls itself in tokens'),
  /** Null: one of our own, or none. */
  registryTokenKey: flag.text(
    null,
    'FILE',
    'private key (PEM, P-256) for the tokens of the registry (default with --local: made, and kept in DIR)',
  ),
  /** Null: it cannot be asked. */
  routerAdmin: {
    ...flag.parsed(
      null,
      'URL',
      'a URL such as http://127.0.0.1:9090',
      httpUrl,
      "the router's admin port, such as http://deis-router-admin:9090: for explanations and the status page",
    ),
    variable: 'DEIS_ROUTER_ADMIN_URL',
  },
}

const planning = {
  nodeRegistry: flag.parsed(
    null,
    'HOST:PORT',
    'HOST:PORT',
    text => (/^[^\s/@]{1,255}$/.test(text) ? text : null),
    'where nodes fetch images that were pushed (default 127.0.0.1 and DEIS_REGISTRY_PROXY_PORT, or as we do)',
  ),
  isolateApps: flag.onOff(false, 'a NetworkPolicy for each app: only the router and the app itself reach its pods'),
  admitNamespaces: flag.list([], 'A,B', 'with --isolate-apps on: namespaces whose pods reach apps as well'),
  routerAccount: flag.parsed(
    null,
    'NAMESPACE/NAME',
    'NAMESPACE/NAME of a service account',
    accountOf,
    'service account that may read certificates of apps (default that of our namespace, deis-router)',
  ),
}

export type ClusterConfig =
  /** `kubeconfig` null: the service account of the pod that we run in. */
  | { readonly kind: 'kubernetes'; readonly kubeconfig: string | null }
  /** `state`: what is remembered of processes. `manifests`: where the router reads. */
  | { readonly kind: 'local'; readonly state: string; readonly manifests: string }

export interface ControllerConfig extends flag.ValuesOf<typeof listening>, flag.ValuesOf<typeof fields> {
  readonly database: StoreTarget
  readonly cluster: ClusterConfig
  /** Where the platform's own Secrets are. */
  readonly namespace: string
  /** Secret; null: there is no builder. */
  readonly builderKey: string | null
  readonly reservedNames: ReadonlySet<string>
  /** Null: there is no logger. */
  readonly logger: URL | null
  readonly deployHooks: readonly URL[]
  /** Secret; null: hooks are not signed. */
  readonly deployHookKey: string | null
  readonly procfilePolicy: ProcfilePolicy
  readonly defaultTags: Readonly<Record<string, string>>
  /** Whether images can be asked where they listen. */
  readonly ownRegistry: boolean
  /** How images of the registry are called; null: there is none. */
  readonly registryNames: OwnRegistryNames | null
  /** With it machines may pull every image. Secret; null: none may. */
  readonly registryNodeKey: string | null
  readonly plan: Partial<PlanOptions>
}

/** As the chart has them. */
const defaultReserved = 'deis,deis-builder,deis-workflow-manager,grafana'

/** Reads the arguments after `node main.ts`. All faults are reported together, as one StartupError with exit code 64. */
export function parseConfig(
  argv: readonly string[],
  env: flag.Environment,
  version: string,
): ProgramCommand<ControllerConfig> {
  const program = {
    name: 'deis-controller',
    description: 'The Deis API: keeps apps in a database, and makes the cluster agree with it.',
    version,
    prefix: 'DEIS_CONTROLLER_',
    flags: { listening, keeping, running, fields, planning },
  }
  return readCommandLine(program, argv, env, (values, faults) => {
    const given = new Variables(env, faults)
    const { port, adminPort } = values.listening
    faults.push(...samePorts({ port, adminPort }))
    const namespace = given.text('POD_NAMESPACE') ?? given.text('WORKFLOW_NAMESPACE') ?? 'deis'
    const cluster = clusterOf(values.running, given, faults)
    const { registry } = values.fields
    return {
      ...values.listening,
      ...values.fields,
      database: databaseOf(values.keeping, given, faults),
      cluster,
      namespace,
      builderKey: given.text('DEIS_BUILDER_KEY'),
      reservedNames: new Set(flag.listOf(given.text('RESERVED_NAMES') ?? defaultReserved)),
      logger: serviceUrl(env, faults, 'DEIS_LOGGER_SERVICE', 'DEIS_LOGGER_SERVICE_PORT_HTTP'),
      deployHooks: given.urls('DEIS_DEPLOY_HOOK_URLS'),
      deployHookKey: given.text('DEIS_DEPLOY_HOOK_SECRET_KEY'),
      procfilePolicy: {
        rejectMissing: given.flag('DEIS_DEPLOY_REJECT_IF_PROCFILE_MISSING', false),
        removeMissing: given.flag('DEIS_DEPLOY_PROCFILE_MISSING_REMOVE', true),
      },
      defaultTags: given.texts('DEIS_DEFAULT_CONFIG_TAGS'),
      ownRegistry: cluster.kind === 'local' || registry !== null,
      registryNames: registryNamesOf(registry, values.planning.nodeRegistry, cluster.kind === 'local'),
      registryNodeKey: given.text('DEIS_REGISTRY_NODE_KEY'),
      plan: planOf(values.planning, given, namespace, registry, faults),
    }
  })
}

function databaseOf(
  { database: url, sqlite: file }: flag.ValuesOf<typeof keeping>,
  given: Variables,
  faults: string[],
): StoreTarget {
  if (url !== null && !(/^postgres(ql)?:\/\//.test(url) && URL.canParse(url)))
    faults.push('--database must be a URL such as postgresql://user:password@host:5432/name')
  if (url !== null && file !== null) faults.push('--database and --sqlite exclude each other')
  if (file !== null) return { kind: 'sqlite', file }
  if (url !== null) return { kind: 'postgres', url }
  const host = given.text('DEIS_DATABASE_SERVICE_HOST')
  if (host === null) faults.push('there is no database: pass --database URL or --sqlite FILE')
  return {
    kind: 'postgres',
    host: host ?? '',
    port: given.number('DEIS_DATABASE_SERVICE_PORT', 1, 65_535) ?? 5432,
    user: given.text('DEIS_DATABASE_USER') ?? 'deis',
    password: given.text('DEIS_DATABASE_PASSWORD') ?? '',
    database: given.text('DEIS_DATABASE_NAME') ?? 'deis',
    tls: null,
  }
}

function clusterOf(
  { kubeconfig, local, manifests }: flag.ValuesOf<typeof running>,
  given: Variables,
  faults: string[],
): ClusterConfig {
  if (kubeconfig !== null && local !== null)
    faults.push('--kubeconfig and --local exclude each other: apps run on a cluster or on this machine')
  if (manifests !== null && local === null) faults.push('--manifests goes with --local')
  if (local !== null) return { kind: 'local', state: local, manifests: manifests ?? join(local, 'manifests') }
  if (kubeconfig === null && given.text('KUBERNETES_SERVICE_HOST') === null)
    faults.push('this is not a pod of a cluster: pass --kubeconfig FILE or --local DIR')
  return { kind: 'kubernetes', kubeconfig }
}

function registryNamesOf(registry: URL | null, nodeRegistry: string | null, isLocal: boolean): OwnRegistryNames | null {
  if (registry === null) return null
  const hosts = [registry.host, ...(nodeRegistry === null ? [] : [nodeRegistry])]
  return { hostless: isLocal, hosts: hosts.map(hostName) }
}

function planOf(
  { nodeRegistry, isolateApps, admitNamespaces: admitted, routerAccount }: flag.ValuesOf<typeof planning>,
  given: Variables,
  namespace: string,
  registry: URL | null,
  faults: string[],
): Partial<PlanOptions> {
  if (admitted.length > 0 && !isolateApps) faults.push('--admit-namespaces goes with --isolate-apps on')
  const proxyPort = given.number('DEIS_REGISTRY_PROXY_PORT', 1, 65_535)
  const address = nodeRegistry ?? (proxyPort === null ? (registry?.host ?? null) : `127.0.0.1:${proxyPort}`)
  return {
    router: routerAccount ?? { namespace, serviceAccount: 'deis-router' },
    isolation: isolateApps ? { admitted } : null,
    registry: { ...defaultPlanOptions.registry, address },
    quota: given.object('KUBERNETES_NAMESPACE_DEFAULT_QUOTA_SPEC'),
    slugRunnerImage: given.text('SLUGRUNNER_IMAGE_NAME') ?? defaultPlanOptions.slugRunnerImage,
    imagePullPolicy: given.text('IMAGE_PULL_POLICY') ?? defaultPlanOptions.imagePullPolicy,
    batches: given.number('DEIS_DEPLOY_BATCHES', 1, 10_000),
    deployTimeout: given.number('DEIS_DEPLOY_TIMEOUT', 1, 3600) ?? defaultPlanOptions.deployTimeout,
    revisionHistoryLimit: given.number('KUBERNETES_DEPLOYMENTS_REVISION_HISTORY_LIMIT', 0, 1000),
    terminationGracePeriod:
      given.number('KUBERNETES_POD_TERMINATION_GRACE_PERIOD_SECONDS', 0, 86_400) ??
      defaultPlanOptions.terminationGracePeriod,
  }
}

function accountOf(text: string): { readonly namespace: string; readonly serviceAccount: string } | null {
  const [namespace = '', serviceAccount = '', ...rest] = text.split('/')
  return namespace === '' || serviceAccount === '' || rest.length > 0 ? null : { namespace, serviceAccount }
}
