// What the router is told of an app, as on Kubernetes: names, namespaces and annotations of controller contract,
// section 7. Pure: objects in, text out.

import { stringify } from 'yaml'
import type { EndpointSlice, KubeObject, Secret, Service } from '#kube/types.ts'
import type { AppId } from '../../domain/app.ts'
import type { DesiredCertificate, Routing } from '../../domain/desired-app.ts'

const prefix = 'router.deis.io'

/** The Service and the certificates. `port`: what the config calls the port of its processes; null: it is not known. */
export function routingManifest(app: AppId, uuid: string, routing: Routing, port: number | null): string {
  return textOf([service(app, uuid, routing, port), ...routing.certificates.map(each => certificate(app, each))])
}

/** Where its processes listen. A port in a slice is that of all its addresses, so each has a slice of its own. */
export function endpointsManifest(app: AppId, ports: readonly number[]): string {
  return textOf(ports.map(port => endpoints(app, port)))
}

function service(app: AppId, uuid: string, routing: Routing, port: number | null): Service {
  const { routable, maintenance, httpsEnforced, whitelist, domains } = routing
  const certificates = domains.flatMap(({ domain, certificate }) => (certificate ? `${domain}:${certificate}` : []))
  const annotations: Record<string, string> = {
    'controller.deis.io/app-uuid': uuid,
    [`${prefix}/maintenance`]: String(maintenance),
    [`${prefix}/ssl.enforce`]: String(httpsEnforced ?? false),
  }
  // What is empty is not there: an empty whitelist must not look like one that lets nobody in.
  if (domains.length > 0) annotations[`${prefix}/domains`] = domains.map(({ domain }) => domain).join(',')
  if (certificates.length > 0) annotations[`${prefix}/certificates`] = certificates.join(',')
  if (whitelist.length > 0) annotations[`${prefix}/whitelist`] = whitelist.join(',')
  const spec = { ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: port ?? 5000 }] }
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: app,
      namespace: app,
      labels: { app, heritage: 'deis', [`${prefix}/routable`]: String(routable) },
      annotations,
    },
    spec,
  }
}

function certificate(app: AppId, { name, chain, key }: DesiredCertificate): Secret {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: `${name}-cert`, namespace: app, labels: { app, heritage: 'deis' } },
    type: 'Opaque',
    stringData: { 'tls.crt': chain, 'tls.key': key },
  }
}

function endpoints(app: AppId, port: number): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${app}-${port}`,
      namespace: app,
      labels: { app, heritage: 'deis', 'kubernetes.io/service-name': app },
    },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready: true } }],
    ports: [{ name: 'http', port, protocol: 'TCP' }],
  }
}

function textOf(objects: readonly KubeObject[]): string {
  // No anchors: two domains may share a certificate, and who reads it may be no YAML processor of ours.
  const documents = objects.map(object => stringify(object, { aliasDuplicateObjects: false }))
  return `# Written by the controller; what is changed here is changed back.\n${documents.join('---\n')}`
}
