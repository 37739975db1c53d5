// The whole platform as an operator gets it: on a real node, from its images, installed with helm from charts/workflow, on
// volumes of the node, behind two routers and a NodePort. What cannot be fetched has a stand-in: PostgreSQL is Debian's, and
// the builder of Cloud Native Buildpacks the one of builder-image.ts.

import { chownSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { request } from 'undici'
import { auditFlags } from './audit-log.ts'
import { builderImage, builderImageArchive } from './builder-image.ts'
import { run } from './command.ts'
import type { ControlPlane } from './control-plane.ts'
import { helm } from './helm.ts'
import { ensurePackages } from './machine.ts'
import { NodeRuntime } from './node.ts'
import { nodeName } from './node-site.ts'
import { platformImageArchive, platformImages } from './platform-images.ts'
import { poll } from './poll.ts'
import { postgresImage, postgresImageArchive } from './postgres-image.ts'

export const namespace = 'deis'
export const buildNamespace = 'deis-builds'
/** Loopback for the `deis` command, whatever the resolver says. */
export const domain = 'localhost'
const release = 'deis'
const chart = join(import.meta.dirname, '../../charts/workflow')
const claims = ['deis-registry', 'deis-builder', 'deis-database', 'deis-database-backups', 'deis-logger']
const storageClass = 'local'

export type Values = Readonly<Record<string, unknown>>

const image = (name: string, parts: Values = {}) => {
  const colon = name.lastIndexOf(':')
  return { repository: name.slice(0, colon), tag: name.slice(colon + 1), pullPolicy: 'Never', ...parts }
}

/** Of every release here. */
const common: Values = {
  global: { platform_domain: domain },
  images: { workflow: image(platformImages.workflow), builder: image(platformImages.builder) },
  storage: { storageClass },
  database: { image: image(postgresImage) },
  controller: { deployTimeout: 60, drainTimeout: 20 },
  builder: {
    drainTimeout: 20,
    buildpacksImage: builderImage,
    dockerfilesImage: builderImage,
    runImage: `deis-registry.${namespace}.svc/run:1`,
    imagesPullPolicy: 'Never',
  },
  router: { image: image(platformImages.router), service: { type: 'NodePort' } },
}

export interface Ports {
  readonly http: number
  readonly https: number
  readonly builder: number
}

export interface PodObject {
  readonly metadata: {
    readonly name: string
    readonly namespace: string
    readonly labels?: Readonly<Record<string, string>>
    readonly deletionTimestamp?: string
  }
  readonly status: {
    readonly phase: string
    readonly conditions?: readonly { readonly type: string; readonly status: string }[]
    readonly containerStatuses?: readonly { readonly restartCount: number }[]
  }
}

export class Workflow {
  readonly node = new NodeRuntime({ apiServerFlags: auditFlags, networkPolicies: true })
  readonly api: ControlPlane = this.node.controlPlane
  ports: Ports = { http: 0, https: 0, builder: 0 }
  #helm = ''

  /** Starts the node and gives it images and volumes; nothing is installed. */
  async start(): Promise<void> {
    const archives = await workflowArchives()
    this.#helm = await helm()
    await ensurePackages(['skopeo'])
    await this.node.start()
    try {
      for (const archive of archives) await this.node.loadImage(archive)
      for (const name of claims) await this.#volume(name)
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  stop(): Promise<void> {
    return this.node.stop()
  }

  /** `helm install`; resolves when all is ready and builds have an image to run on. */
  async install(values: Values = {}): Promise<void> {
    await this.#apply(['install', release, chart, '--create-namespace'], values)
    const { spec } = await this.api.request<{ spec: { ports: { name: keyof Ports; nodePort: number }[] } }>(
      'GET',
      `/api/v1/namespaces/${namespace}/services/deis-router`,
    )
    this.ports = Object.fromEntries(spec.ports.map(({ name, nodePort }) => [name, nodePort])) as unknown as Ports
    await this.#pushRunImage()
  }

  /** `helm upgrade`, with these values besides those of every release here. */
  upgrade(values: Values = {}): Promise<void> {
    return this.#apply(['upgrade', release, chart], values)
  }

  async rollback(): Promise<void> {
    await this.#run(['rollback', release, '--wait', '--timeout', '180s'])
    await this.ready()
  }

  async uninstall(): Promise<void> {
    await this.#run(['uninstall', release, '--wait', '--timeout', '180s'])
  }

  /** `helm test`: rejects if a test of the chart fails; gives what helm printed. */
  test(): Promise<string> {
    return this.#run(['test', release, '--timeout', '180s'])
  }

  /** One Job of this CronJob to its end; gives what its containers said, and rejects with that if it failed. */
  async runJob(name: string, cronJob: string): Promise<string> {
    const kubectl = (...args: readonly string[]) => this.api.kubectl(['-n', namespace, ...args])
    await kubectl('create', 'job', `--from=cronjob/${cronJob}`, name)
    await poll(`end of ${name}`, 90, async () => {
      const path = `/apis/batch/v1/namespaces/${namespace}/jobs/${name}`
      const { status } = await this.api.request<{ status: { succeeded?: number; failed?: number } }>('GET', path)
      if (status.failed) throw new Error(await kubectl('logs', `job/${name}`, '--all-containers'))
      return status.succeeded ? true : null
    })
    return kubectl('logs', `job/${name}`, '--all-containers')
  }

  /** Pods of the platform, also those that are ending. */
  async pods(of = namespace): Promise<readonly PodObject[]> {
    return (await this.api.request<{ items: PodObject[] }>('GET', `/api/v1/namespaces/${of}/pods`)).items
  }

  /** Resolves when every pod of the platform is there and ready, or has ended well, and none is ending. */
  async ready(): Promise<void> {
    await poll('ready pods', 180, async () => {
      const kinds = ['deployments', 'statefulsets', 'daemonsets']
      const lists = kinds.map(kind =>
        this.api.request<{ items: WorkloadObject[] }>('GET', `/apis/apps/v1/namespaces/${namespace}/${kind}`),
      )
      // First what there has to be: of a pod that is only going to be made nothing is seen.
      const unmet = (await Promise.all(lists)).flatMap(({ items }) => items).filter(workload => !isMet(workload))
      const pods = await this.pods()
      const wanting = pods.filter(pod => pod.metadata.deletionTimestamp !== undefined || !isWell(pod))
      const named = [...unmet, ...wanting].map(({ metadata }) => metadata.name)
      if (named.length > 0) throw new Error(named.join(', '))
      return true
    })
  }

  /** Through the router. */
  async call<T>(method: string, path: string, { authorization = '', body = null as unknown } = {}): Promise<Reply<T>> {
    const { statusCode, body: answer } = await request(`http://127.0.0.1:${this.ports.http}${path}`, {
      method,
      headers: {
        host: `deis.${domain}`,
        ...(authorization === '' ? {} : { authorization }),
        ...(body === null ? {} : { 'content-type': 'application/json' }),
      },
      body: body === null ? null : JSON.stringify(body),
      headersTimeout: 180_000,
    })
    const text = await answer.text()
    return { status: statusCode, body: (text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : text) as T }
  }

  async #apply(args: readonly string[], values: Values): Promise<void> {
    const all = merged(common, values)
    try {
      await this.#run([...args, '--values', '-', '--wait', '--timeout', '240s'], JSON.stringify(all))
      await this.ready()
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${await this.#account()}`, { cause: error })
    }
  }

  /** What Kubernetes says of pods that are not well, for whoever reads that a test failed. */
  async #account(): Promise<string> {
    const kubectl = (...args: readonly string[]) =>
      this.api.kubectl(['-n', namespace, ...args]).catch((error: Error) => error.message)
    const ill = (await this.pods()).filter(pod => !isWell(pod)).map(({ metadata }) => metadata.name)
    const logs = ill.map(name => kubectl('logs', name, '--all-containers', '--tail=15'))
    const events = kubectl('get', 'events', '--field-selector=type=Warning', '--sort-by=lastTimestamp')
    const parts = await Promise.all([kubectl('get', 'pods', '-o', 'wide'), events, ...logs])
    return parts.join('\n')
  }

  #run(args: readonly string[], input?: string): Promise<string> {
    const { directory } = this.api
    const env = {
      KUBECONFIG: this.api.kubeconfig(),
      HELM_CACHE_HOME: join(directory, 'helm/cache'),
      HELM_CONFIG_HOME: join(directory, 'helm/config'),
      HELM_DATA_HOME: join(directory, 'helm/data'),
    }
    return run(this.#helm, [...args, '--namespace', namespace], { env, input })
  }

  /** What buildpacks put apps on, into the registry, by the builder's right. */
  async #pushRunImage(): Promise<void> {
    const { data } = await this.api.request<{ data: Record<string, string> }>(
      'GET',
      `/api/v1/namespaces/${namespace}/secrets/builder-key-auth`,
    )
    const { spec } = await this.api.request<{ spec: { clusterIP: string } }>(
      'GET',
      `/api/v1/namespaces/${namespace}/services/deis-registry`,
    )
    const key = Buffer.from(data['builder-key']!, 'base64').toString()
    const { body } = await this.call<{ token: string }>(
      'GET',
      '/v2/registry/token?service=deis-registry&scope=repository:run:pull,push',
      { authorization: `Basic ${Buffer.from(`builder:${key}`).toString('base64')}` },
    )
    const source = `oci-archive:${await builderImageArchive()}`
    const target = ['--dest-tls-verify=false', `--dest-registry-token=${body.token}`, source]
    await run('skopeo', ['copy', '--quiet', ...target, `docker://${spec.clusterIP}:80/run:1`])
  }

  /** A volume of the node that waits for the claim of this name. */
  async #volume(name: string): Promise<void> {
    const path = join(this.api.directory, 'volumes', name)
    mkdirSync(path, { recursive: true })
    chownSync(path, 0, 0)
    await this.api.request('POST', '/api/v1/persistentvolumes', {
      metadata: { name },
      spec: {
        capacity: { storage: '100Gi' },
        accessModes: ['ReadWriteOnce'],
        persistentVolumeReclaimPolicy: 'Retain',
        storageClassName: storageClass,
        claimRef: { namespace, name },
        local: { path },
        nodeAffinity: {
          required: {
            nodeSelectorTerms: [
              { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [nodeName] }] },
            ],
          },
        },
      },
    })
  }
}

export interface Reply<T> {
  readonly status: number
  readonly body: T
}

/** All images that a release here takes. */
export async function workflowArchives(): Promise<readonly string[]> {
  return [
    await platformImageArchive('router'),
    await platformImageArchive('workflow'),
    await platformImageArchive('builder'),
    await postgresImageArchive(),
    await builderImageArchive(),
  ]
}

/** Not of a Job or of a test. */
export function isLasting({ metadata }: PodObject): boolean {
  return !['deis-database-backup', undefined].includes(metadata.labels?.app)
}

export function isWell({ status }: PodObject): boolean {
  if (status.phase === 'Succeeded') return true
  return status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false
}

function merged(values: Values, more: Values): Values {
  const isMap = (value: unknown): value is Values =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
  const entries = Object.entries(more).map(([key, value]) => {
    const before = values[key]
    return [key, isMap(before) && isMap(value) ? merged(before, value) : value]
  })
  return { ...values, ...Object.fromEntries(entries) }
}

interface WorkloadObject {
  readonly metadata: { readonly name: string; readonly generation: number }
  readonly spec: { readonly replicas?: number }
  readonly status: {
    readonly observedGeneration?: number
    readonly readyReplicas?: number
    readonly numberReady?: number
    readonly desiredNumberScheduled?: number
  }
}

function isMet({ metadata, spec, status }: WorkloadObject): boolean {
  const wanted = status.desiredNumberScheduled ?? spec.replicas ?? 1
  return (
    status.observedGeneration === metadata.generation && (status.numberReady ?? status.readyReplicas ?? 0) === wanted
  )
}
