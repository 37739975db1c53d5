// The controller's command line and environment, parsed once into a ControllerConfig. Flags are for what differs between
// installations; what charts of Deis have always given as variables keeps its names (controller contract, section 11).

import { isIP } from 'node:net'
import { join } from 'node:path'
import { type Environment, type Flag, type FlagValues, readCommandLine } from '#kit/command-line.ts'
import { httpUrl, serviceUrl } from '#kit/service-url.ts'
import type { RegistrationMode } from './api/accounts.ts'
import { defaultPlanOptions, type PlanOptions } from './cluster/kubernetes/plan-options.ts'
import { domainOf } from './domain/hostname.ts'
import type { ProcfilePolicy } from './domain/procfile.ts'
import type { StoreTarget } from './store/open-store.ts'

export type ClusterConfig =
  /** `kubeconfig` null: the service account of the pod that we run in. */
  | { readonly kind: 'kubernetes'; readonly kubeconfig: string | null }
  /** `state`: what is remembered of processes. `manifests`: where the router reads. */
  | { readonly kind: 'local'; readonly state: string; readonly manifests: string }

export interface ControllerConfig {
  readonly address: string
  /** 0: the kernel chooses, for both. */
  readonly port: number
  /** Metrics and health, for the operator alone. */
  readonly adminPort: number
  readonly database: StoreTarget
  readonly cluster: ClusterConfig
  /** Where the platform's own Secrets are. */
  readonly namespace: string
  /** How long deploys may go on after SIGTERM before they are left to the next controller, milliseconds. */
  readonly drainTimeout: number
  readonly registration: RegistrationMode
  /** Secret; null: there is no builder. */
  readonly builderKey: string | null
  readonly reservedNames: ReadonlySet<string>
  /** Null: there is no logger. */
  readonly logger: URL | null
  /** The router's admin port; null: it cannot be asked. */
  readonly routerAdmin: URL | null
  readonly deployHooks: readonly URL[]
  /** Secret; null: hooks are not signed. */
  readonly deployHookKey: string | null
  readonly procfilePolicy: ProcfilePolicy
  readonly defaultTags: Readonly<Record<string, string>>
  /** Whether images can be asked where they listen. */
  readonly ownRegistry: boolean
  /** Null: there is none, and images are what they are called. */
  readonly registry: URL | null
  /** What the registry calls itself in tokens. */
  readonly registryService: string
  /** PEM file with the key that tokens for the registry are signed with; null: one of our own, or none. */
  readonly registryTokenKey: string | null
  /** With it machines may pull every image. Secret; null: none may. */
  readonly registryNodeKey: string | null
  readonly trustedProxies: readonly string[]
  /** Lower case; null: not known. */
  readonly platformDomain: string | null
  readonly plan: Partial<PlanOptions>
}

export type ControllerCommand =
  | { readonly kind: 'run'; readonly config: ControllerConfig }
  /** `--help` or `--version`: print this on stdout and exit 0. */
  | { readonly kind: 'print'; readonly text: string }

const flags = {
  address: { name: 'address', argument: 'ADDRESS', help: 'IP address to listen on (default 0.0.0.0)' },
  port: { name: 'port', argument: 'PORT', help: 'the API (default 8000; 0: any free port, as for the next one)' },
  adminPort: { name: 'admin-port', argument: 'PORT', help: 'metrics and health (default 9091)' },
  database: { name: 'database', argument: 'URL', help: 'postgresql://user:password@host:port/name' },
  sqlite: { name: 'sqlite', argument: 'FILE', help: 'keep everything in this file, without a database server' },
  kubeconfig: { name: 'kubeconfig', argument: 'FILE', help: 'run apps on the cluster of this kubeconfig file' },
  local: {
    name: 'local',
    argument: 'DIR',
    help: 'run apps as processes of this machine; DIR is what they leave behind',
  },
  manifests: {
    name: 'manifests',
    argument: 'DIR',
    help: 'with --local: where the router reads (default DIR/manifests)',
  },
  drainTimeout: {
    name: 'drain-timeout',
    argument: 'SECONDS',
    help: 'how long deploys may go on after SIGTERM before the next start has to end them (default 600)',
  },
  registration: {
    name: 'registration',
    argument: 'MODE',
    help: 'enabled, disabled or admin_only (default enabled)',
    variable: 'REGISTRATION_MODE',
  },
  trustedProxies: {
    name: 'trusted-proxies',
    argument: 'A,B',
    help: 'whose X-Forwarded-For counts: networks, or loopback, linklocal, uniquelocal (default those three)',
  },
  platformDomain: {
    name: 'platform-domain',
    argument: 'DOMAIN',
    help: 'names below it belong to the app of that name',
    variable: 'PLATFORM_DOMAIN',
  },
  registry: { name: 'registry', argument: 'URL', help: 'where images of apps are, such as http://127.0.0.1:5000' },
  registryService: {
    name: 'registry-service',
    argument: 'NAME',
    help: 'what the registry calls itself in tokens (default deis-registry)',
  },
  registryTokenKey: {
    name: 'registry-token-key',
    argument: 'FILE',
    help: 'private key (PEM, P-256) for the tokens of the registry (default with --local: made, and kept in DIR)',
  },
  routerAdmin: {
    name: 'router-admin',
    argument: 'URL',
    help: "the router's admin port, such as http://deis-router-admin:9090: for explanations and the status page",
    variable: 'DEIS_ROUTER_ADMIN_URL',
  },
  nodeRegistry: {
    name: 'node-registry',
    argument: 'HOST:PORT',
    help: 'where nodes fetch images that were pushed (default 127.0.0.1 and DEIS_REGISTRY_PROXY_PORT, or as we do)',
  },
  isolateApps: {
    name: 'isolate-apps',
    argument: 'on|off',
    help: 'a NetworkPolicy for each app: only the router and the app itself reach its pods (default off)',
  },
  admitNamespaces: {
    name: 'admit-namespaces',
    argument: 'A,B',
    help: 'with --isolate-apps on: namespaces whose pods reach apps as well',
  },
  routerAccount: {
    name: 'router-account',
    argument: 'NAMESPACE/NAME',
    help: 'service account that may read certificates of apps (default that of our namespace, deis-router)',
  },
} as const satisfies Record<string, Flag>

type Values = FlagValues<keyof typeof flags>

/** As the chart has them. */
const defaultReserved = 'deis,deis-builder,deis-workflow-manager,grafana'

/** Reads the arguments after `node main.ts`. All faults are reported together, as one StartupError with exit code 64. */
export function parseConfig(argv: readonly string[], env: Environment, version: string): ControllerCommand {
  const command = readCommandLine(
    {
      name: 'deis-controller',
      description: 'The Deis API: keeps apps in a database, and makes the cluster agree with it.',
      version,
      prefix: 'DEIS_CONTROLLER_',
      flags,
    },
    argv,
    env,
  )
  if (command.kind === 'print') return command
  const { values } = command
  const given = new Variables(env, values.faults)
  values.alternatives(['kubeconfig', 'local'])
  values.alternatives(['database', 'sqlite'])
  const namespace = given.text('POD_NAMESPACE') ?? given.text('WORKFLOW_NAMESPACE') ?? 'deis'
  const cluster = clusterOf(values, given)
  const registry =
    values.parsed('registry', 'a URL such as http://127.0.0.1:5000', httpUrl) ??
    serviceUrl(env, values.faults, 'DEIS_REGISTRY_SERVICE')
  const config: ControllerConfig = {
    address: values.parsed('address', 'an IP address', text => (isIP(text) === 0 ? null : text)) ?? '0.0.0.0',
    port: values.port('port', 8000),
    adminPort: values.port('adminPort', 9091),
    database: databaseOf(values, given),
    cluster,
    namespace,
    drainTimeout: values.number('drainTimeout', 0, 86_400, 600) * 1000,
    registration: values.choice('registration', ['enabled', 'disabled', 'admin_only'], 'enabled'),
    builderKey: given.text('DEIS_BUILDER_KEY'),
    reservedNames: new Set(listOf(given.text('RESERVED_NAMES') ?? defaultReserved)),
    logger: serviceUrl(env, values.faults, 'DEIS_LOGGER_SERVICE', 'DEIS_LOGGER_SERVICE_PORT_HTTP'),
    routerAdmin: values.parsed('routerAdmin', 'a URL such as http://127.0.0.1:9090', httpUrl),
    deployHooks: given.urls('DEIS_DEPLOY_HOOK_URLS'),
    deployHookKey: given.text('DEIS_DEPLOY_HOOK_SECRET_KEY'),
    procfilePolicy: {
      rejectMissing: given.flag('DEIS_DEPLOY_REJECT_IF_PROCFILE_MISSING', false),
      removeMissing: given.flag('DEIS_DEPLOY_PROCFILE_MISSING_REMOVE', true),
    },
    defaultTags: given.texts('DEIS_DEFAULT_CONFIG_TAGS'),
    ownRegistry: cluster.kind === 'local' || registry !== null,
    registry,
    registryService: values.text('registryService') ?? 'deis-registry',
    registryTokenKey: values.text('registryTokenKey'),
    registryNodeKey: given.text('DEIS_REGISTRY_NODE_KEY'),
    platformDomain: values.parsed('platformDomain', 'a domain', domainOf)?.toLowerCase() ?? null,
    trustedProxies: listOf(values.text('trustedProxies') ?? 'loopback,linklocal,uniquelocal'),
    plan: planOf(values, given, namespace, registry),
  }
  if (config.port !== 0 && config.port === config.adminPort)
    values.faults.push(`--port and --admin-port are both ${config.port}`)
  values.check()
  return { kind: 'run', config }
}

function databaseOf(values: Values, given: Variables): StoreTarget {
  const url = values.text('database')
  // Not quoted: it may hold a password.
  if (url !== null && !(/^postgres(ql)?:\/\//.test(url) && URL.canParse(url)))
    values.faults.push('--database must be a URL such as postgresql://user:password@host:5432/name')
  const file = values.text('sqlite')
  if (url !== null && file !== null) values.faults.push('--database and --sqlite exclude each other')
  if (file !== null) return { kind: 'sqlite', file }
  if (url !== null) return { kind: 'postgres', url }
  const host = given.text('DEIS_DATABASE_SERVICE_HOST')
  if (host === null) values.faults.push('there is no database: pass --database URL or --sqlite FILE')
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

function clusterOf(values: Values, given: Variables): ClusterConfig {
  const [kubeconfig, local, manifests] = [values.text('kubeconfig'), values.text('local'), values.text('manifests')]
  if (kubeconfig !== null && local !== null)
    values.faults.push('--kubeconfig and --local exclude each other: apps run on a cluster or on this machine')
  if (manifests !== null && local === null) values.faults.push('--manifests goes with --local')
  if (local !== null) return { kind: 'local', state: local, manifests: manifests ?? join(local, 'manifests') }
  if (kubeconfig === null && given.text('KUBERNETES_SERVICE_HOST') === null)
    values.faults.push('this is not a pod of a cluster: pass --kubeconfig FILE or --local DIR')
  return { kind: 'kubernetes', kubeconfig }
}

function planOf(values: Values, given: Variables, namespace: string, registry: URL | null): Partial<PlanOptions> {
  const router = values.parsed('routerAccount', 'NAMESPACE/NAME of a service account', text => {
    const [space = '', name = '', ...rest] = text.split('/')
    return space === '' || name === '' || rest.length > 0 ? null : { namespace: space, serviceAccount: name }
  }) ?? { namespace, serviceAccount: 'deis-router' }
  const admitted = listOf(values.text('admitNamespaces') ?? '')
  const isIsolated = values.onOff('isolateApps', 'off')
  if (admitted.length > 0 && !isIsolated) values.faults.push('--admit-namespaces goes with --isolate-apps on')
  const proxyPort = given.number('DEIS_REGISTRY_PROXY_PORT', 1, 65_535)
  const address =
    values.parsed('nodeRegistry', 'HOST:PORT', text => (/^[^\s/@]{1,255}$/.test(text) ? text : null)) ??
    (proxyPort === null ? (registry?.host ?? null) : `127.0.0.1:${proxyPort}`)
  return {
    router,
    isolation: isIsolated ? { admitted } : null,
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

function listOf(text: string): readonly string[] {
  return text
    .split(',')
    .map(item => item.trim())
    .filter(item => item !== '')
}

/** Variables that have no flag. An empty one counts as absent; a fault names the variable and not what it holds. */
class Variables {
  readonly faults: string[]
  readonly #env: Environment

  constructor(env: Environment, faults: string[]) {
    this.#env = env
    this.faults = faults
  }

  text(name: string): string | null {
    return this.#env[name] || null
  }

  number(name: string, least: number, most: number): number | null {
    const text = this.text(name)
    if (text === null) return null
    const number = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN
    if (number >= least && number <= most) return number
    this.faults.push(`${name} must be a whole number from ${least} to ${most}`)
    return null
  }

  flag(name: string, absent: boolean): boolean {
    const text = this.text(name)?.toLowerCase()
    if (text === undefined) return absent
    if (['true', '1', 'yes', 'on'].includes(text)) return true
    if (!['false', '0', 'no', 'off'].includes(text)) this.faults.push(`${name} must be true or false`)
    return false
  }

  urls(name: string): readonly URL[] {
    return listOf(this.text(name) ?? '').flatMap(text => {
      const url = URL.parse(text)
      if (url !== null && /^https?:$/.test(url.protocol)) return [url]
      this.faults.push(`${name} must be a list of URLs, with commas between them`)
      return []
    })
  }

  /** JSON. */
  object(name: string): Readonly<Record<string, unknown>> | null {
    const text = this.text(name)
    if (text === null) return null
    try {
      const value: unknown = JSON.parse(text)
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
    } catch {
      // As what is no object.
    }
    this.faults.push(`${name} must be a JSON object`)
    return null
  }

  /** JSON, with texts. */
  texts(name: string): Readonly<Record<string, string>> {
    const entries = Object.entries(this.object(name) ?? {})
    if (entries.some(([, value]) => typeof value !== 'string')) this.faults.push(`${name} must hold texts only`)
    return Object.fromEntries(entries.map(([key, value]) => [key, String(value)]))
  }
}
