// The builder's command line and environment, parsed once into a BuilderConfig. What charts of Deis have always given as
// variables keeps its names (builder contract, section 12).

import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { type Environment, type Flag, type FlagValues, readCommandLine } from '#kit/command-line.ts'
import { httpUrl, serviceUrl } from '#kit/service-url.ts'
import type { StoreTarget } from '#store/open-store.ts'
import { storeFlags, storeOf } from '#store/store-flags.ts'
import { type UserNamespace, userNamespaces } from './build/kubernetes/options.ts'
import { defaultGitLimits, type GitLimits } from './git/git.ts'
import { defaultSourceLimits, type SourceLimits } from './git/source.ts'
import { defaultSshLimits, type SshLimits } from './ssh/server.ts'

type StrategyConfig =
  /** In this directory, where also is what is kept between builds. */
  | { readonly kind: 'local'; readonly state: string }
  /** `kubeconfig` null: the service account of the pod that we run in. */
  | { readonly kind: 'kubernetes'; readonly kubeconfig: string | null; readonly jobs: JobConfig }

interface JobConfig {
  readonly namespace: string
  /** Ours, which fetches sources. */
  readonly image: string
  /** With the lifecycle of Cloud Native Buildpacks. */
  readonly buildpacks: string
  /** What apps of buildpacks run on; null: what the builder image says. */
  readonly runImage: string | null
  /** With buildah. */
  readonly dockerfiles: string
  readonly userNamespace: UserNamespace
  /** Secrets of the namespace of builds, with which those images are fetched. */
  readonly pullSecrets: readonly string[]
  readonly pullPolicy: string | null
  readonly nodeSelector: Readonly<Record<string, string>>
  /** Where Pods fetch sources: our address and port, as they reach them. */
  readonly sourceUrl: URL | null
  readonly sourcePort: number
  /** `HOST:PORT` of the registry, as Pods reach it; null: as we do. */
  readonly registryHost: string | null
}

export interface BuilderConfig {
  /** Where repositories are kept. */
  readonly store: StoreTarget
  readonly strategy: StrategyConfig
  readonly registry: URL
  /** Where tokens for the registry are had; null: where the registry says. */
  readonly registryTokens: URL | null
  readonly address: string
  /** 0: the kernel chooses, for both. */
  readonly port: number
  /** Probes and metrics. */
  readonly healthPort: number
  /** Connections begin with a PROXY header, as the router sends it when it uses that protocol itself. */
  readonly proxyProtocol: boolean
  readonly controller: URL
  /** Secret. */
  readonly builderKey: string
  /** Where host keys are, or are kept. */
  readonly hostKeys: string
  /** Repositories and sources while they are worked on; it is emptied at each start. */
  readonly work: string
  readonly builds: number
  readonly waitingBuilds: number
  /** Milliseconds, all of them. */
  readonly buildTimeout: number
  readonly deployTimeout: number
  readonly lockTimeout: number
  readonly cleanInterval: number
  readonly drainTimeout: number
  readonly tick: number
  readonly ssh: SshLimits
  readonly git: GitLimits
  readonly source: SourceLimits
}

export type BuilderCommand =
  | { readonly kind: 'run'; readonly config: BuilderConfig }
  /** `--help` or `--version`: print this on stdout and exit 0. */
  | { readonly kind: 'print'; readonly text: string }

const flags = {
  address: {
    name: 'address',
    argument: 'ADDRESS',
    help: 'IP address to listen on (default 0.0.0.0)',
    variable: 'SSH_HOST_IP',
  },
  port: { name: 'port', argument: 'PORT', help: 'SSH (default 2223; 0: any free port)', variable: 'SSH_HOST_PORT' },
  healthPort: {
    name: 'health-port',
    argument: 'PORT',
    help: 'probes and metrics (default 8092)',
    variable: 'HEALTH_SERVER_PORT',
  },
  proxyProtocol: {
    name: 'proxy-protocol',
    argument: 'on|off',
    help: 'connections begin with a PROXY header (default off)',
  },
  controller: {
    name: 'controller',
    argument: 'URL',
    help: 'the Deis API (default that of DEIS_CONTROLLER_SERVICE_HOST)',
  },
  keyFile: {
    name: 'builder-key',
    argument: 'FILE',
    help: 'the key that the controller knows (default /var/run/secrets/api/auth/builder-key, or DEIS_BUILDER_KEY)',
  },
  hostKeys: {
    name: 'host-keys',
    argument: 'DIR',
    help: 'ssh-host-…-key files; made when there are none (default /var/run/secrets/deis/builder/ssh)',
  },
  work: { name: 'work', argument: 'DIR', help: 'a directory of its own, emptied at each start (default /home/git)' },
  ...storeFlags,
  local: { name: 'local', argument: 'DIR', help: 'build on this machine, in this directory' },
  kubeconfig: { name: 'kubeconfig', argument: 'FILE', help: 'build in the cluster of this kubeconfig file' },
  namespace: {
    name: 'build-namespace',
    argument: 'NAMESPACE',
    help: 'where Jobs are made (default that of POD_NAMESPACE)',
  },
  image: { name: 'builder-image', argument: 'IMAGE', help: 'our own image: Jobs fetch sources with it' },
  buildpacks: {
    name: 'buildpacks-image',
    argument: 'IMAGE',
    help: 'builder image of Cloud Native Buildpacks',
    variable: 'SLUGBUILDER_IMAGE_NAME',
  },
  runImage: {
    name: 'run-image',
    argument: 'IMAGE',
    help: 'image that apps of buildpacks run on (default what the builder image says)',
  },
  dockerfiles: {
    name: 'dockerfiles-image',
    argument: 'IMAGE',
    help: 'image with buildah',
    variable: 'DOCKERBUILDER_IMAGE_NAME',
  },
  userNamespace: {
    name: 'dockerfiles-user-namespace',
    argument: 'build|pod',
    help: 'made by each build of a Dockerfile, or by the cluster for its Pod (default build)',
  },
  pullPolicy: {
    name: 'pull-policy',
    argument: 'POLICY',
    help: 'of those images: Always, IfNotPresent or Never',
    variable: 'SLUG_BUILDER_IMAGE_PULL_POLICY',
  },
  pullSecrets: {
    name: 'pull-secrets',
    argument: 'A,B',
    help: 'Secrets in the namespace of builds to fetch those images with',
  },
  nodeSelector: {
    name: 'node-selector',
    argument: 'K:V,K:V',
    help: 'nodes that build',
    variable: 'BUILDER_POD_NODE_SELECTOR',
  },
  sourceUrl: { name: 'source-url', argument: 'URL', help: 'where Jobs reach our source port (default by our address)' },
  sourcePort: { name: 'source-port', argument: 'PORT', help: 'for Jobs to fetch sources from (default 8093)' },
  registryHost: {
    name: 'registry-host',
    argument: 'HOST:PORT',
    help: 'the registry as Jobs reach it (default as we do)',
  },
  registry: {
    name: 'registry',
    argument: 'URL',
    help: 'where images go (default that of DEIS_REGISTRY_SERVICE_HOST)',
  },
  registryTokens: {
    name: 'registry-tokens',
    argument: 'URL',
    help: 'where tokens for the registry are had (default where it says)',
  },
  builds: { name: 'builds', argument: 'N', help: 'at a time; others wait (default 4)' },
  buildTimeout: { name: 'build-timeout', argument: 'SECONDS', help: 'of a build (default 1800)' },
  deployTimeout: { name: 'deploy-timeout', argument: 'SECONDS', help: 'of a deploy (default 3600)' },
  lockTimeout: {
    name: 'lock-timeout',
    argument: 'MINUTES',
    help: 'until others may push to the app again (default 10)',
    variable: 'GIT_LOCK_TIMEOUT',
  },
  cleanInterval: {
    name: 'clean-interval',
    argument: 'SECONDS',
    help: 'how often it is looked for apps that are gone (default 5)',
    variable: 'CLEANER_POLL_SLEEP_DURATION_SEC',
  },
  drainTimeout: {
    name: 'drain-timeout',
    argument: 'SECONDS',
    help: 'how long pushes may go on after SIGTERM (default 600)',
  },
  connections: { name: 'connections', argument: 'N', help: `at a time (default ${defaultSshLimits.connections})` },
  ofAddress: {
    name: 'connections-of-address',
    argument: 'N',
    help: `at a time, of one address (default ${defaultSshLimits.ofAddress})`,
  },
  keepAlive: {
    name: 'keep-alive',
    argument: 'MILLISECONDS',
    help: `after which a silent client is asked whether it is there (default ${defaultSshLimits.keepAlive})`,
    variable: 'SESSION_IDLE_INTERVAL',
  },
  packSize: {
    name: 'pack-size',
    argument: 'MB',
    help: `of a push, at most (default ${defaultGitLimits.packSize / 2 ** 20})`,
  },
  sourceSize: {
    name: 'source-size',
    argument: 'MB',
    help: `of the files of a commit, at most (default ${defaultSourceLimits.size / 2 ** 20})`,
  },
} as const satisfies Record<string, Flag>

type Values = FlagValues<keyof typeof flags>

const keyFile = '/var/run/secrets/api/auth/builder-key'

/** Reads the arguments after `node main.ts`. All faults are reported together, as one StartupError with exit code 64. */
export function parseConfig(argv: readonly string[], env: Environment, version: string): BuilderCommand {
  const command = readCommandLine(
    {
      name: 'deis-builder',
      description: 'Takes apps by git push over SSH, builds them, and has the controller deploy them.',
      version,
      prefix: 'DEIS_BUILDER_',
      flags,
    },
    argv,
    env,
  )
  if (command.kind === 'print') return command
  const { values } = command
  const seconds = (key: keyof typeof flags, least: number, absent: number): number =>
    values.number(key, least, 86_400, absent) * 1000
  const config: BuilderConfig = {
    address: values.parsed('address', 'an IP address', text => (isIP(text) === 0 ? null : text)) ?? '0.0.0.0',
    port: values.port('port', 2223),
    healthPort: values.port('healthPort', 8092),
    proxyProtocol: values.onOff('proxyProtocol', 'off'),
    controller: serviceOf(values, env, 'controller', 'http://127.0.0.1:8000'),
    store: storeOf(values, 'builder-bucket'),
    strategy: strategyOf(values, env),
    registry: serviceOf(values, env, 'registry', 'http://127.0.0.1:5000'),
    registryTokens: values.parsed('registryTokens', 'a URL', httpUrl),
    builderKey: keyOf(values, env),
    hostKeys: values.text('hostKeys') ?? '/var/run/secrets/deis/builder/ssh',
    work: values.text('work') ?? '/home/git',
    builds: values.number('builds', 1, 1000, 4),
    waitingBuilds: 100,
    buildTimeout: seconds('buildTimeout', 1, 1800),
    deployTimeout: seconds('deployTimeout', 1, 3600),
    lockTimeout: values.number('lockTimeout', 1, 1440, 10) * 60_000,
    cleanInterval: seconds('cleanInterval', 1, 5),
    drainTimeout: seconds('drainTimeout', 0, 600),
    tick: 10_000,
    ssh: {
      ...defaultSshLimits,
      connections: values.number('connections', 1, 100_000, defaultSshLimits.connections),
      ofAddress: values.number('ofAddress', 1, 100_000, defaultSshLimits.ofAddress),
      keepAlive: values.number('keepAlive', 1000, 3_600_000, defaultSshLimits.keepAlive),
    },
    git: {
      ...defaultGitLimits,
      packSize: values.number('packSize', 1, 102_400, defaultGitLimits.packSize / 2 ** 20) * 2 ** 20,
    },
    source: {
      ...defaultSourceLimits,
      size: values.number('sourceSize', 1, 1_024_000, defaultSourceLimits.size / 2 ** 20) * 2 ** 20,
    },
  }
  if (config.port !== 0 && config.port === config.healthPort)
    values.faults.push(`--port and --health-port are both ${config.port}`)
  values.check()
  return { kind: 'run', config }
}

function strategyOf(values: Values, env: Environment): StrategyConfig {
  values.alternatives(['local', 'kubeconfig'])
  const [local, kubeconfig] = [values.text('local'), values.text('kubeconfig')]
  if (local !== null && kubeconfig !== null)
    values.faults.push('--local and --kubeconfig exclude each other: builds are made here or in a cluster')
  if (local !== null) return { kind: 'local', state: local }
  if (kubeconfig === null && !env.KUBERNETES_SERVICE_HOST)
    values.faults.push('this is not a pod of a cluster: pass --local DIR or --kubeconfig FILE')
  const image = (key: 'image' | 'buildpacks' | 'dockerfiles'): string => {
    const name = values.text(key)
    if (name === null) values.faults.push(`builds in a cluster need --${flags[key].name} IMAGE`)
    return name ?? ''
  }
  const pullPolicy = values.choice('pullPolicy', ['', 'Always', 'IfNotPresent', 'Never'], '')
  const jobs = {
    namespace: values.text('namespace') ?? (env.POD_NAMESPACE || 'deis'),
    image: image('image'),
    buildpacks: image('buildpacks'),
    runImage: values.text('runImage'),
    dockerfiles: image('dockerfiles'),
    userNamespace: values.choice('userNamespace', userNamespaces, 'build'),
    pullSecrets: (values.text('pullSecrets') ?? '')
      .split(',')
      .map(name => name.trim())
      .filter(name => name !== ''),
    pullPolicy: pullPolicy === '' ? null : pullPolicy,
    nodeSelector: values.parsed('nodeSelector', 'labels such as disk:ssd,zone:a', parseLabels) ?? {},
    sourceUrl: values.parsed('sourceUrl', 'a URL', httpUrl),
    sourcePort: values.port('sourcePort', 8093),
    registryHost: values.text('registryHost'),
  }
  return { kind: 'kubernetes', kubeconfig, jobs }
}

function parseLabels(text: string): Readonly<Record<string, string>> | null {
  const pairs = text.split(',').map(pair => pair.split(':').map(part => part.trim()))
  return pairs.every(pair => pair.length === 2 && pair[0] !== '') ? Object.fromEntries(pairs) : null
}

/** By its flag, or by what Kubernetes says of its Service. */
function serviceOf(values: Values, env: Environment, name: 'controller' | 'registry', example: string): URL {
  const before = values.faults.length
  const url =
    values.parsed(name, `a URL such as ${example}`, httpUrl) ??
    serviceUrl(env, values.faults, `DEIS_${name.toUpperCase()}_SERVICE`)
  if (url !== null) return url
  if (values.faults.length === before) values.faults.push(`there is no ${name}: pass --${name} URL`)
  return new URL(example)
}

/** A fault never quotes it. */
function keyOf(values: Values, env: Environment): string {
  const named = values.text('keyFile')
  if (named === null && env.DEIS_BUILDER_KEY) return env.DEIS_BUILDER_KEY
  const file = named ?? keyFile
  try {
    const key = readFileSync(file, 'utf8').replace(/[\r\n]+/g, '')
    if (/^[\x21-\x7e]+$/.test(key)) return key
    values.faults.push(`${file} holds no key`)
  } catch (error) {
    values.faults.push(`the builder's key cannot be read: ${(error as Error).message}`)
  }
  return ''
}
