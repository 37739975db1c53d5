// The router as a process in front of one app that answers for every host: for suites that know the router only by its
// ports.

import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RouterProcess } from './router-process.ts'

export interface SiteOptions {
  /** The app. */
  readonly answer: RequestListener
  /** Router-wide settings, without prefix. */
  readonly settings?: Readonly<Record<string, string>>
  readonly workers?: number
}

export class Site implements AsyncDisposable {
  readonly router: RouterProcess
  readonly ports: { readonly http: number; readonly https: number; readonly admin: number }
  readonly #app: Server
  readonly #directory: string

  private constructor(router: RouterProcess, ports: Site['ports'], app: Server, directory: string) {
    this.router = router
    this.ports = ports
    this.#app = app
    this.#directory = directory
  }

  static async start({ answer, settings = {}, workers = 1 }: SiteOptions): Promise<Site> {
    const app = createServer(answer)
    await once(app.listen(0, '127.0.0.1'), 'listening')
    const directory = await mkdtemp(join(tmpdir(), 'router-site-'))
    const { port } = app.address() as AddressInfo
    await writeFile(join(directory, 'site.yaml'), manifests(port, settings))
    const router = new RouterProcess([
      ...['--manifests', directory, '--ingress-without-class', 'on', '--workers', String(workers)],
    ])
    return new Site(router, await router.ready(), app, directory)
  }

  get pid(): number {
    return this.router.child.pid!
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.router[Symbol.asyncDispose]()
    this.#app.closeAllConnections()
    await once(this.#app.close(), 'close')
    await rm(this.#directory, { recursive: true })
  }
}

/** JSON documents are YAML documents. */
function manifests(port: number, settings: Readonly<Record<string, string>>): string {
  const annotations = Object.entries(settings).map(([key, value]) => [`router.deis.io/nginx.${key}`, value])
  const place = { namespace: 'apps' }
  const objects = [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'deis-router', namespace: 'deis', annotations: Object.fromEntries(annotations) },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { ...place, name: 'web' },
      spec: { ports: [{ name: 'http', port: 80 }] },
    },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { ...place, name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready: true } }],
      ports: [{ name: 'http', port }],
    },
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { ...place, name: 'web' },
      spec: { defaultBackend: { service: { name: 'web', port: { number: 80 } } } },
    },
  ]
  return objects.map(object => `${JSON.stringify(object)}\n`).join('---\n')
}
