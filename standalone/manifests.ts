// The platform's own objects in the directory of manifests, which is what a chart makes in a cluster: the router's
// settings and certificate, and the Services behind `deis.localhost` and the port for `git push`. Apps' are the controller's.

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { EndpointSlice, KubeObject, Secret, Service } from '#kube/types.ts'
import { namespace, platformDomain } from './names.ts'
import type { PlatformCertificate } from './secrets.ts'

const prefix = 'router.deis.io'
const written = '# Written at every start; what is changed here is lost.\n'

/** Where the platform's own services listen, on 127.0.0.1. */
export interface OwnPorts {
  readonly controller: number
  readonly builder: number
}

export class Manifests {
  readonly directory: string

  /** Throws what the file system says. */
  constructor(directory: string) {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    this.directory = directory
  }

  /** What holds whatever the ports of this start are. Nobody listens any more where the last start has said. */
  prepare(certificate: PlatformCertificate): void {
    for (const name of readdirSync(this.directory))
      if (/^(platform-)?endpoints\b.*\.yaml$/.test(name)) rmSync(join(this.directory, name))
    this.#write('platform-certificate.yaml', written, [secret(certificate)], 0o600)
    this.#write('platform-services.yaml', written, [controllerService(), builderService()])
    if (!existsSync(join(this.directory, 'router.yaml'))) this.#write('router.yaml', routerText, [router()])
  }

  /** From now on there is somebody behind the Services. */
  publish({ controller, builder }: OwnPorts): void {
    const slices = [slice('deis-controller', 'http', controller), slice('deis-builder', 'ssh', builder)]
    this.#write('platform-endpoints.yaml', written, slices)
  }

  /** Aside, and renamed: the router never reads half of it. */
  #write(name: string, head: string, objects: readonly KubeObject[], mode = 0o644): void {
    const draft = join(this.directory, `.${name}.draft`)
    rmSync(draft, { force: true })
    writeFileSync(draft, head + objects.map(object => stringify(object)).join('---\n'), { mode })
    renameSync(draft, join(this.directory, name))
  }
}

const routerText = `# Settings of the router, yours to edit: annotations of its own Deployment. docs/settings.md lists them; a change is live
# when it is saved.
`

function router(): KubeObject {
  const annotations = {
    [`${prefix}/nginx.platformDomain`]: platformDomain,
    [`${prefix}/nginx.requestIDs`]: 'true',
  }
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'deis-router', namespace, annotations } }
}

function controllerService(): Service {
  const annotations = {
    [`${prefix}/domains`]: 'deis',
    [`${prefix}/connectTimeout`]: '10s',
    // A deploy answers when it is done.
    [`${prefix}/tcpTimeout`]: '1200s',
  }
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'deis-controller', namespace, labels: { [`${prefix}/routable`]: 'true' }, annotations },
    spec: { ports: [{ name: 'http', port: 80, protocol: 'TCP' }] },
  }
}

function builderService(): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'deis-builder', namespace },
    spec: { ports: [{ name: 'ssh', port: 2222, protocol: 'TCP' }] },
  }
}

function slice(service: string, name: string, port: number): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: service, namespace, labels: { 'kubernetes.io/service-name': service } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready: true } }],
    ports: [{ name, port, protocol: 'TCP' }],
  }
}

function secret({ chain, key }: PlatformCertificate): Secret {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/tls',
    metadata: { name: 'deis-router-platform-cert', namespace },
    stringData: { 'tls.crt': chain, 'tls.key': key },
  }
}
