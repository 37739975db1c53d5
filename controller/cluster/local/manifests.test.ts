// Controller contract, section 7: what the router is told of an app.

import { expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { routing } from '#test/support/local-stage.ts'
import type { AppId } from '../../domain/app.ts'
import type { Routing } from '../../domain/desired-app.ts'
import { endpointsManifest, routingManifest } from './manifests.ts'

const shop = 'shop' as AppId

const objects = (text: string): readonly unknown[] => parseAllDocuments(text).map(document => document.toJS())

function annotations(parts: Partial<Routing>): unknown {
  const [service] = objects(routingManifest(shop, 'UUID', { ...routing, ...parts }, 8000))
  return (service as { metadata: { annotations: unknown } }).metadata.annotations
}

const fresh = {
  'controller.deis.io/app-uuid': 'UUID',
  'router.deis.io/domains': 'shop',
  'router.deis.io/maintenance': 'false',
  'router.deis.io/ssl.enforce': 'false',
}

test('a fresh app', () => {
  expect(objects(routingManifest(shop, 'UUID', routing, null))).toEqual([
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        name: 'shop',
        namespace: 'shop',
        labels: { app: 'shop', heritage: 'deis', 'router.deis.io/routable': 'true' },
        annotations: fresh,
      },
      spec: { ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 5000 }] },
    },
  ])
})

const certificate = { name: 'wild', chain: 'CHAIN\n', key: 'KEY\n' }
const rows: [name: string, parts: Partial<Routing>, changes: Record<string, string | undefined>][] = [
  ['no domain', { domains: [] }, { 'router.deis.io/domains': undefined }],
  ['maintenance', { maintenance: true }, { 'router.deis.io/maintenance': 'true' }],
  ['HTTPS enforced', { httpsEnforced: true }, { 'router.deis.io/ssl.enforce': 'true' }],
  ['HTTPS not enforced', { httpsEnforced: false }, {}],
  ['a whitelist', { whitelist: ['10.0.0.0/8', '::1'] }, { 'router.deis.io/whitelist': '10.0.0.0/8,::1' }],
  [
    'certificates',
    {
      domains: [
        { domain: 'a.example', certificate: 'wild' },
        { domain: 'shop', certificate: null },
        { domain: '*.b.example', certificate: 'wild' },
      ],
      certificates: [certificate],
    },
    {
      'router.deis.io/domains': 'a.example,shop,*.b.example',
      'router.deis.io/certificates': 'a.example:wild,*.b.example:wild',
    },
  ],
]
for (const [name, parts, changes] of rows)
  test(`annotations: ${name}`, () => {
    const wanted = Object.entries({ ...fresh, ...changes }).filter(([, value]) => value !== undefined)
    expect(annotations(parts)).toEqual(Object.fromEntries(wanted))
  })

test('a certificate is a Secret in the app’s namespace', () => {
  const [, secret] = objects(routingManifest(shop, 'UUID', { ...routing, certificates: [certificate] }, 8000))
  expect(secret).toEqual({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'wild-cert', namespace: 'shop', labels: { app: 'shop', heritage: 'deis' } },
    type: 'Opaque',
    stringData: { 'tls.crt': 'CHAIN\n', 'tls.key': 'KEY\n' },
  })
})

test('each port has a slice of its own, and no port none', () => {
  expect(objects(endpointsManifest(shop, [4001, 4002]))).toEqual(
    [4001, 4002].map(port => ({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name: `shop-${port}`,
        namespace: 'shop',
        labels: { app: 'shop', heritage: 'deis', 'kubernetes.io/service-name': 'shop' },
      },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready: true } }],
      ports: [{ name: 'http', port, protocol: 'TCP' }],
    })),
  )
  expect(objects(endpointsManifest(shop, []))).toEqual([])
  // The router takes an empty file for one that is being written.
  expect(endpointsManifest(shop, [])).not.toBe('')
})
