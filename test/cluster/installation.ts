// The router as its users have it: on a real node, from its image, installed with helm from charts/router, with an app
// beside it. What the suite about the installation and the bench of changes both start from.

import { join } from 'node:path'
import { selfSign } from '#kit/self-signed.ts'
import { auditFlags } from './audit-log.ts'
import { run } from './command.ts'
import { type ControlPlane, freePort } from './control-plane.ts'
import { echoDeployment, echoService } from './echo-app.ts'
import { helm } from './helm.ts'
import { nameImage } from './images.ts'
import { NodeRuntime } from './node.ts'
import { platformImageArchive, platformImages } from './platform-images.ts'
import { poll } from './poll.ts'

export const routerNamespace = 'deis'
export const appNamespace = 'shop'
/** The app's Deployment and its Service. */
export const appName = 'web'
export const appHost = 'www.shop.test'
const release = 'router'
const chart = join(import.meta.dirname, '../../charts/router')

export const paths = {
  deployments: (namespace: string) => `/apis/apps/v1/namespaces/${namespace}/deployments`,
  services: (namespace: string) => `/api/v1/namespaces/${namespace}/services`,
  secrets: (namespace: string) => `/api/v1/namespaces/${namespace}/secrets`,
  pods: (namespace: string) => `/api/v1/namespaces/${namespace}/pods`,
  endpointSlices: (namespace: string) => `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`,
  ingresses: (namespace: string) => `/apis/networking.k8s.io/v1/namespaces/${namespace}/ingresses`,
} as const
export const mergePatch = 'application/merge-patch+json'

/** Values of the chart. */
type Values = Readonly<Record<string, unknown>>

/** What the router tells in the status of Ingress objects. */
export const publishedAddresses = ['192.0.2.10', 'router.example.net'] as const

/** Of every release here: one certificate of the app's namespace may be read. */
const common: Values = {
  certificates: [{ namespace: appNamespace, secrets: [`${appName}-cert`] }],
  ingress: { publishService: false, publishAddresses: publishedAddresses },
}

/** Ports of 127.0.0.1. */
export interface RouterPorts {
  readonly http: number
  readonly https: number
  readonly admin: number
}

interface DeploymentStatus {
  readonly metadata: { readonly generation: number }
  readonly status: {
    readonly observedGeneration?: number
    readonly replicas?: number
    readonly updatedReplicas?: number
    readonly readyReplicas?: number
  }
}

export class Installation {
  readonly node = new NodeRuntime({ apiServerFlags: auditFlags })
  readonly api: ControlPlane = this.node.controlPlane
  /** Of the app, at first. */
  readonly certificate = selfSign([appHost], 30, Date.now())
  #helm = ''

  /** Starts the node and gives it the router's image under these tags; the app's pods are ready, the router not there. */
  async start(...tags: readonly string[]): Promise<void> {
    const [program, archive] = [await helm(), await platformImageArchive('router')]
    this.#helm = program
    await this.node.start()
    try {
      await this.node.loadImage(archive)
      for (const tag of tags) await nameImage(platformImages.router, imageName(tag))
      for (const name of [routerNamespace, appNamespace])
        await this.api.request('POST', '/api/v1/namespaces', { metadata: { name } })
      await this.api.request('POST', paths.deployments(appNamespace), echoDeployment(appName, 1))
      await this.api.request(
        'POST',
        paths.services(appNamespace),
        echoService(appName, appName, { domains: appHost, certificates: `${appHost}:${appName}` }),
      )
      await this.api.request('POST', paths.secrets(appNamespace), {
        metadata: { name: `${appName}-cert` },
        type: 'kubernetes.io/tls',
        stringData: { 'tls.crt': this.certificate.chain, 'tls.key': this.certificate.key },
      })
      await this.rolledOut(appNamespace, appName)
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  stop(): Promise<void> {
    return this.node.stop()
  }

  /** `helm install` of one replica with the image of this tag, on ports of the node that were free. */
  async installOnHostPorts(tag: string): Promise<RouterPorts> {
    const free = () => freePort('127.0.0.1')
    const ports = { http: await free(), https: await free(), admin: await free() }
    const hostPort = { enabled: true, http: ports.http, https: ports.https, builder: 0, healthz: ports.admin }
    await this.#apply('install', tag, { replicas: 1, service: { type: 'ClusterIP' }, host_port: hostPort })
    return ports
  }

  /** `helm upgrade` to two replicas with the image of this tag; gives the NodePort for HTTP. */
  async upgradeToNodePort(tag: string): Promise<number> {
    await this.#apply('upgrade', tag, { replicas: 2, service: { type: 'NodePort' } })
    return this.#nodePort('http')
  }

  async uninstall(): Promise<void> {
    await this.#run(['uninstall', release, '--wait', '--timeout', '120s'])
  }

  /** `helm test`: rejects if a test of the chart fails; gives what helm printed. */
  test(): Promise<string> {
    return this.#run(['test', release, '--timeout', '120s'])
  }

  /** Runs helm in the router's namespace and gives what it printed. */
  #run(args: readonly string[], input?: string): Promise<string> {
    const { directory } = this.api
    const env = {
      KUBECONFIG: this.api.kubeconfig(),
      HELM_CACHE_HOME: join(directory, 'helm/cache'),
      HELM_CONFIG_HOME: join(directory, 'helm/config'),
      HELM_DATA_HOME: join(directory, 'helm/data'),
    }
    return run(this.#helm, [...args, '--namespace', routerNamespace], { env, input })
  }

  /** `kubectl rollout restart`; resolves when all pods are new, ready, and the old ones gone from the Deployment. */
  async restart(namespace: string, deployment: string): Promise<void> {
    await this.api.kubectl(['--namespace', namespace, 'rollout', 'restart', `deployment/${deployment}`])
    await this.rolledOut(namespace, deployment)
  }

  /** Resolves when a Deployment has as many ready pods as it wants, all of its present template, and no pod is ending. */
  async rolledOut(namespace: string, deployment: string): Promise<void> {
    const path = `${paths.deployments(namespace)}/${deployment}`
    await poll(`roll-out of ${deployment}`, 120, async () => {
      const { metadata, status } = await this.api.request<DeploymentStatus>('GET', path)
      const { spec } = await this.api.request<{ spec: { replicas: number } }>('GET', path)
      const all = [status.replicas, status.updatedReplicas, status.readyReplicas]
      if (status.observedGeneration !== metadata.generation || all.some(count => count !== spec.replicas)) return null
      const pods = await this.podNames(namespace, deployment)
      return pods.length === spec.replicas ? true : null
    })
  }

  /** Of the Deployment's pods that there are, also of those that are ending. */
  async podNames(namespace: string, deployment: string): Promise<readonly string[]> {
    const { items } = await this.api.request<{ items: readonly { metadata: { name: string } }[] }>(
      'GET',
      `${paths.pods(namespace)}?labelSelector=app%3D${deployment}`,
    )
    return items.map(({ metadata }) => metadata.name)
  }

  async #apply(verb: 'install' | 'upgrade', tag: string, values: Values): Promise<void> {
    const [repository] = platformImages.router.split(':')
    const input = JSON.stringify({ ...common, ...values, image: { repository, tag, pullPolicy: 'Never' } })
    await this.#run([verb, release, chart, '--values', '-', '--wait', '--timeout', '120s'], input)
    await this.rolledOut(routerNamespace, 'deis-router')
  }

  /** The port of the nodes that kube-proxy forwards to this port of the router's Service. */
  async #nodePort(name: string): Promise<number> {
    const { spec } = await this.api.request<{ spec: { ports: readonly { name: string; nodePort: number }[] } }>(
      'GET',
      `${paths.services(routerNamespace)}/deis-router`,
    )
    const port = spec.ports.find(each => each.name === name)
    if (!port) throw new Error(`the Service deis-router has no port ${name}`)
    return port.nodePort
  }
}

function imageName(tag: string): string {
  return `${platformImages.router.split(':')[0]}:${tag}`
}
