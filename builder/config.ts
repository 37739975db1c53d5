// The builder's command line and environment, parsed once into a BuilderConfig. What charts of Deis have always given as
// variables keeps its names (builder contract, section 12).

import { readFileSync } from 'node:fs'
import { type ProgramCommand, readCommandLine, samePorts } from '#kit/command-line.ts'
import * as flag from '#kit/flag.ts'
import { httpUrl, serviceUrl } from '#kit/service-url.ts'
import type { StoreTarget } from '#store/open-store.ts'
import { storeFlags, storeOf } from '#store/store-flags.ts'
import { userNamespaces } from './build/kubernetes/options.ts'
import { defaultGitLimits, type GitLimits } from './git/git.ts'
import { defaultSourceLimits, type SourceLimits } from './git/source.ts'
import { defaultSshLimits, type SshLimits } from './ssh/server.ts'

const keyFile = '/var/run/secrets/api/auth/builder-key'
const megabyte = 2 ** 20

const serving = {
  address: { ...flag.listenAddress(), variable: 'SSH_HOST_IP' },
  port: { ...flag.port(2223, 'SSH', '0: any free port'), variable: 'SSH_HOST_PORT' },
  /** Probes and metrics. */
  healthPort: { ...flag.port(8092, 'probes and metrics'), variable: 'HEALTH_SERVER_PORT' },
  /** As the router sends it when it uses that protocol itself. */
  proxyProtocol: flag.onOff(false, 'connections begin with a PROXY header'),
  controller: serviceFlag('controller', 'http://127.0.0.1:8000', 'the Deis API'),
}

const secret = {
  builderKey: flag.text(null, 'FILE', `the key that the controller knows (default ${keyFile}, or DEIS_BUILDER_KEY)`),
}

const places = {
  hostKeys: flag.text('/var/run/secrets/deis/builder/ssh', 'DIR', 'ssh-host-…-key files; made when there are none'),
  /** Repositories and sources while they are worked on. */
  work: flag.text('/home/git', 'DIR', 'a directory of its own, emptied at each start'),
}

const here = {
  local: { ...flag.text(null, 'DIR', 'build on this machine, in this directory'), choiceOf: 'strategy' },
  kubeconfig: {
    ...flag.text(null, 'FILE', 'build in the cluster of this kubeconfig file'),
    choiceOf: 'strategy',
  },
}

const jobs = {
  namespace: {
    ...flag.otherwise(
      flag.text(null, 'NAMESPACE', 'where Jobs are made (default that of POD_NAMESPACE)'),
      env => env.POD_NAMESPACE || 'deis',
    ),
    name: 'build-namespace',
  },
  /** Ours, which fetches sources. */
  image: { ...flag.text(null, 'IMAGE', 'our own image: Jobs fetch sources with it'), name: 'builder-image' },
  /** With the lifecycle of Cloud Native Buildpacks. */
  buildpacks: {
    ...flag.text(null, 'IMAGE', 'builder image of Cloud Native Buildpacks'),
    name: 'buildpacks-image',
    variable: 'SLUGBUILDER_IMAGE_NAME',
  },
  runImage: flag.text(null, 'IMAGE', 'image that apps of buildpacks run on (default what the builder image says)'),
  /** With buildah. */
  dockerfiles: {
    ...flag.text(null, 'IMAGE', 'image with buildah'),
    name: 'dockerfiles-image',
    variable: 'DOCKERBUILDER_IMAGE_NAME',
  },
  userNamespace: {
    ...flag.oneOf(
      'build',
      userNamespaces,
      'build|pod',
      'made by each build of a Dockerfile, or by the cluster for its Pod',
    ),
    name: 'dockerfiles-user-namespace',
  },
  pullPolicy: {
    ...flag.oneOf(
      null,
      ['Always', 'IfNotPresent', 'Never'],
      'POLICY',
      'of those images: Always, IfNotPresent or Never',
    ),
    variable: 'SLUG_BUILDER_IMAGE_PULL_POLICY',
  },
  pullSecrets: flag.list([], 'A,B', 'Secrets in the namespace of builds to fetch those images with'),
  nodeSelector: {
    ...flag.parsed<Labels, Labels>({}, 'K:V,K:V', 'labels such as disk:ssd,zone:a', parseLabels, 'nodes that build'),
    variable: 'BUILDER_POD_NODE_SELECTOR',
  },
  /** Where Pods fetch sources: our address and port, as they reach them. */
  sourceUrl: flag.parsed(null, 'URL', 'a URL', httpUrl, 'where Jobs reach our source port (default by our address)'),
  sourcePort: flag.port(8093, 'for Jobs to fetch sources from'),
  registryHost: flag.text(null, 'HOST:PORT', 'the registry as Jobs reach it (default as we do)'),
}

const building = {
  registry: serviceFlag('registry', 'http://127.0.0.1:5000', 'where images go'),
  registryTokens: flag.parsed(
    null,
    'URL',
    'a URL',
    httpUrl,
    'where tokens for the registry are had (default where it says)',
  ),
  builds: flag.count(4, [1, 1000], 'at a time; others wait'),
  buildTimeout: flag.seconds(1800, [1, 86_400], 'of a build'),
  deployTimeout: flag.seconds(3600, [1, 86_400], 'of a deploy'),
  lockTimeout: {
    ...flag.minutes(10, [1, 1440], 'until others may push to the app again'),
    variable: 'GIT_LOCK_TIMEOUT',
  },
  cleanInterval: {
    ...flag.seconds(5, [1, 86_400], 'how often it is looked for apps that are gone'),
    variable: 'CLEANER_POLL_SLEEP_DURATION_SEC',
  },
  drainTimeout: flag.drainTimeout(600, 'how long pushes may go on after SIGTERM'),
}

const limits = {
  connections: flag.count(defaultSshLimits.connections, [1, 100_000], 'at a time'),
  connectionsOfAddress: flag.count(defaultSshLimits.ofAddress, [1, 100_000], 'at a time, of one address'),
  keepAlive: {
    ...flag.milliseconds(
      defaultSshLimits.keepAlive,
      [1000, 3_600_000],
      'after which a silent client is asked whether it is there',
    ),
    variable: 'SESSION_IDLE_INTERVAL',
  },
  packSize: flag.megabytes(defaultGitLimits.packSize / megabyte, [1, 102_400], 'of a push, at most'),
  sourceSize: flag.megabytes(defaultSourceLimits.size / megabyte, [1, 1_024_000], 'of the files of a commit, at most'),
}

type StrategyConfig =
  /** In this directory, where also is what is kept between builds. */
  | { readonly kind: 'local'; readonly state: string }
  /** `kubeconfig` null: the service account of the pod that we run in. */
  | { readonly kind: 'kubernetes'; readonly kubeconfig: string | null; readonly jobs: JobConfig }

type JobConfig = flag.ValuesOf<typeof jobs> & Readonly<Record<'image' | 'buildpacks' | 'dockerfiles', string>>

export interface BuilderConfig
  extends flag.ValuesOf<typeof serving>,
    flag.ValuesOf<typeof places>,
    flag.ValuesOf<typeof building> {
  /** Where repositories are kept. */
  readonly store: StoreTarget
  readonly strategy: StrategyConfig
  /** Secret. */
  readonly builderKey: string
  readonly waitingBuilds: number
  /** Milliseconds. */
  readonly tick: number
  readonly ssh: SshLimits
  readonly git: GitLimits
  readonly source: SourceLimits
}

/** Reads the arguments after `node main.ts`. All faults are reported together, as one StartupError with exit code 64. */
export function parseConfig(
  argv: readonly string[],
  env: flag.Environment,
  version: string,
): ProgramCommand<BuilderConfig> {
  const program = {
    name: 'deis-builder',
    description: 'Takes apps by git push over SSH, builds them, and has the controller deploy them.',
    version,
    prefix: 'DEIS_BUILDER_',
    flags: { serving, secret, places, storing: storeFlags, here, jobs, building, limits },
  }
  return readCommandLine(program, argv, env, (values, faults) => {
    const { port, healthPort } = values.serving
    const { connections, connectionsOfAddress: ofAddress, keepAlive, packSize, sourceSize } = values.limits
    faults.push(...samePorts({ port, healthPort }))
    return {
      ...values.serving,
      ...values.places,
      ...values.building,
      builderKey: keyOf(values.secret.builderKey, env, faults),
      store: storeOf(values.storing, 'builder-bucket', faults),
      strategy: strategyOf(values.here, values.jobs, env, faults),
      waitingBuilds: 100,
      tick: 10_000,
      ssh: { ...defaultSshLimits, connections, ofAddress, keepAlive },
      git: { ...defaultGitLimits, packSize },
      source: { ...defaultSourceLimits, size: sourceSize },
    }
  })
}

function strategyOf(
  { local, kubeconfig }: flag.ValuesOf<typeof here>,
  given: flag.ValuesOf<typeof jobs>,
  env: flag.Environment,
  faults: string[],
): StrategyConfig {
  if (local !== null && kubeconfig !== null)
    faults.push('--local and --kubeconfig exclude each other: builds are made here or in a cluster')
  if (local !== null) return { kind: 'local', state: local }
  if (kubeconfig === null && !env.KUBERNETES_SERVICE_HOST)
    faults.push('this is not a pod of a cluster: pass --local DIR or --kubeconfig FILE')
  const image = (key: 'image' | 'buildpacks' | 'dockerfiles'): string => {
    if (given[key] === null) faults.push(`builds in a cluster need --${jobs[key].name} IMAGE`)
    return given[key] ?? ''
  }
  const images = { image: image('image'), buildpacks: image('buildpacks'), dockerfiles: image('dockerfiles') }
  return { kind: 'kubernetes', kubeconfig, jobs: { ...given, ...images } }
}

type Labels = Readonly<Record<string, string>>

function parseLabels(text: string): Labels | null {
  const pairs = text.split(',').map(pair => pair.split(':').map(part => part.trim()))
  return pairs.every(pair => pair.length === 2 && pair[0] !== '') ? Object.fromEntries(pairs) : null
}

/** By its flag, or by what Kubernetes says of its Service. */
function serviceFlag(name: 'controller' | 'registry', example: string, help: string): flag.Flag<URL> {
  const service = `DEIS_${name.toUpperCase()}_SERVICE`
  return flag.required(
    flag.parsed(null, 'URL', `a URL such as ${example}`, httpUrl, `${help} (default that of ${service}_HOST)`),
    `there is no ${name}: pass --${name} URL`,
    new URL(example),
    (env, faults) => serviceUrl(env, faults, service),
  )
}

/** A fault never quotes it. */
function keyOf(named: string | null, env: flag.Environment, faults: string[]): string {
  if (named === null && env.DEIS_BUILDER_KEY) return env.DEIS_BUILDER_KEY
  const file = named ?? keyFile
  try {
    const key = readFileSync(file, 'utf8').replace(/[\r\n]+/g, '')
    if (/^[\x21-\x7e]+$/.test(key)) return key
    faults.push(`${file} holds no key`)
  } catch (error) {
    faults.push(`the builder's key cannot be read: ${(error as Error).message}`)
  }
  return ''
}
