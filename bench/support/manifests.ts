// The Kubernetes objects that a bench routes by, per the `router.deis.io` contract: what one would `kubectl apply`.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SelfSigned } from '#kit/self-signed.ts'
import type { Deployment, EndpointSlice, KubeObject, Secret, Service } from '#kube/types.ts'

/** The router's own namespace in every bench (`POD_NAMESPACE`). */
export const routerNamespace = 'deis'
/** Where the apps live. */
export const appNamespace = 'apps'

/** One routable app with one endpoint. */
export interface App {
  readonly name: string
  readonly hosts: readonly string[]
  /** IPv4 literal and port of the only endpoint. */
  readonly address: string
  readonly port: number
  /** Secret `NAME-cert` in the app's namespace serves all its hosts; null: plain HTTP only. */
  readonly certificate: string | null
  /** Added to the annotations; keys with prefix. */
  readonly annotations?: Readonly<Record<string, string>>
}

/** Host names `app-0000.bench.example` and on. */
export function hostNames(count: number, stem = 'app'): string[] {
  return Array.from({ length: count }, (_, index) => `${stem}-${String(index).padStart(4, '0')}.bench.example`)
}

export function serviceOf(app: App): Service {
  const certificates = app.hosts.map(host => `${host}:${app.certificate}`).join(',')
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: app.name,
      namespace: appNamespace,
      labels: { app: app.name, 'router.deis.io/routable': 'true' },
      annotations: {
        'router.deis.io/domains': app.hosts.join(','),
        ...(app.certificate === null ? {} : { 'router.deis.io/certificates': certificates }),
        ...app.annotations,
      },
    },
    spec: { type: 'ClusterIP', ports: [{ name: 'http', port: 80, protocol: 'TCP' }] },
  }
}

export function endpointSliceOf(app: App): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${app.name}-1`,
      namespace: appNamespace,
      labels: { 'kubernetes.io/service-name': app.name },
    },
    addressType: 'IPv4',
    endpoints: [{ addresses: [app.address], conditions: { ready: true } }],
    ports: [{ name: 'http', port: app.port, protocol: 'TCP' }],
  }
}

/** `NAME-cert`, where NAME is what an app's `certificate` says. */
export function certificateSecret(namespace: string, name: string, pair: SelfSigned): Secret {
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: `${name}-cert`, namespace },
    type: 'kubernetes.io/tls',
    data: { 'tls.crt': base64(pair.chain), 'tls.key': base64(pair.key) },
  }
}

/** Shown to clients that name no host we know: load generators that connect by address do not. */
export function platformSecret(pair: SelfSigned): Secret {
  return certificateSecret(routerNamespace, 'deis-router-platform', pair)
}

/** The Deployment whose annotations are the router-wide settings; `settings` are keys without prefix. */
export function routerDeployment(settings: Readonly<Record<string, string>> = {}): Deployment {
  const annotations = Object.entries(settings).map(([key, value]) => [`router.deis.io/nginx.${key}`, value])
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'deis-router', namespace: routerNamespace, annotations: Object.fromEntries(annotations) },
  }
}

/** The same as `0000.json` and on, each one List: many objects are read in a tenth of the time. */
export function writeManifestLists(directory: string, groups: readonly (readonly KubeObject[])[]): void {
  mkdirSync(directory, { recursive: true })
  for (const [index, items] of groups.entries()) {
    const list = { apiVersion: 'v1', kind: 'List', items }
    writeFileSync(join(directory, `${String(index).padStart(4, '0')}.json`), JSON.stringify(list))
  }
}

/** Writes one file for each group of objects, `0000.yaml` and on. JSON documents are YAML documents. */
export function writeManifests(directory: string, groups: readonly (readonly KubeObject[])[]): void {
  mkdirSync(directory, { recursive: true })
  for (const [index, objects] of groups.entries()) {
    const text = objects.map(object => `${JSON.stringify(object)}\n`).join('---\n')
    writeFileSync(join(directory, `${String(index).padStart(4, '0')}.yaml`), text)
  }
}
