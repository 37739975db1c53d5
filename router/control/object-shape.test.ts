import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readAnnotations, readEndpointSlice, readLoadBalancer, readRef, readService } from './object-shape.ts'

const refs: readonly (readonly [name: string, object: unknown, want: string | null])[] = [
  ['whole', { metadata: { name: 'web', namespace: 'shop' } }, 'shop/web'],
  ['without namespace', { metadata: { name: 'web' } }, 'default/web'],
  ['null namespace', { metadata: { name: 'web', namespace: null } }, 'default/web'],
  ['dots', { metadata: { name: 'a.b-c', namespace: 'shop' } }, 'shop/a.b-c'],
  ['null', null, null],
  ['a list', [], null],
  ['text', 'web', null],
  ['no metadata', {}, null],
  ['metadata is a list', { metadata: ['web'] }, null],
  ['no name', { metadata: { namespace: 'shop' } }, null],
  ['name is a number', { metadata: { name: 7 } }, null],
  ['namespace is a number', { metadata: { name: 'web', namespace: 7 } }, null],
  ['empty name', { metadata: { name: '' } }, null],
  ['a slash, which would make ids ambiguous', { metadata: { name: 'a/b' } }, null],
  ['upper case', { metadata: { name: 'Web' } }, null],
  ['a line end', { metadata: { name: 'web\n' } }, null],
  ['too long', { metadata: { name: 'a'.repeat(254) } }, null],
]

for (const [name, object, want] of refs) {
  test(`reference: ${name}`, () => {
    const ref = readRef('Service', object)
    expect(ref === null ? null : `${ref.namespace}/${ref.name}`).toBe(want)
  })
}

test('reference: an IngressClass has no namespace, whatever it says', () => {
  const want = { kind: 'IngressClass', namespace: '', name: 'deis' }
  expect(readRef('IngressClass', { metadata: { name: 'deis' } })).toEqual(want)
  expect(readRef('IngressClass', { metadata: { name: 'deis', namespace: 'shop' } })).toEqual(want)
  expect(readRef('IngressClass', { metadata: { name: 'a/b' } })).toBeNull()
})

test('addresses of load balancers: what is none is left out', () => {
  const ingress = [{ ip: '192.0.2.1', ports: [{ port: 80 }] }, { hostname: 7 }, null, 'x', { ip: 'a', ports: 7 }, {}]
  expect(readLoadBalancer({ status: { loadBalancer: { ingress } } })).toEqual([ingress[0], {}])
  for (const odd of [null, 7, {}, { status: 7 }, { status: { loadBalancer: { ingress: 'x' } } }])
    expect(readLoadBalancer(odd)).toEqual([])
})

const ref = { kind: 'Service', namespace: 'shop', name: 'web' }
const metadata = { name: 'web', namespace: 'shop' }

test('a Service keeps what we read; null counts as absent', () => {
  expect(
    readService(ref, {
      apiVersion: 'v1',
      metadata: { ...metadata, labels: { app: 'shop' }, annotations: null, uid: 'x' },
      spec: {
        clusterIP: '10.0.0.1',
        ports: [{ name: null, port: 80, protocol: 'TCP', nodePort: 30_000 }, { port: 1 }],
      },
    }),
  ).toEqual({
    kind: 'good',
    object: {
      metadata: { ...metadata, labels: { app: 'shop' }, annotations: {} },
      spec: { ports: [{ port: 80, protocol: 'TCP' }, { port: 1 }] },
    },
  })
})

const services: readonly (readonly [object: Readonly<Record<string, unknown>>, reason: string])[] = [
  [{ metadata: { ...metadata, labels: 'x' } }, 'metadata.labels is no object'],
  [{ metadata: { ...metadata, labels: { app: 1 } } }, 'metadata.labels: the value of "app" is no string'],
  [{ metadata: { ...metadata, labels: { app: 'a b' } } }, 'metadata.labels: the value of "app" is no label value'],
  [{ metadata: { ...metadata, annotations: [] } }, 'metadata.annotations is no object'],
  [{ metadata: { ...metadata, annotations: { x: true } } }, 'metadata.annotations: the value of "x" is no string'],
  [{ metadata: { ...metadata, annotations: { x: null } } }, 'metadata.annotations: the value of "x" is no string'],
  [{ metadata, spec: 1 }, 'spec is no object'],
  [{ metadata, spec: { ports: { port: 80 } } }, 'spec.ports is no list'],
  [{ metadata, spec: { ports: [{ port: 80 }, { port: '80' }] } }, 'spec.ports[1].port is no port number'],
  [{ metadata, spec: { ports: [{ port: 65_536 }] } }, 'spec.ports[0].port is no port number'],
  [{ metadata, spec: { ports: [{ port: 80, name: 1 }] } }, 'spec.ports[0].name is no string'],
  [{ metadata, spec: { ports: ['80'] } }, 'spec.ports[0] is no object'],
]

for (const [object, reason] of services) {
  test(`malformed Service: ${reason}`, () => expect(readService(ref, object)).toEqual({ kind: 'malformed', reason }))
}

const slices: readonly (readonly [object: Readonly<Record<string, unknown>>, reason: string])[] = [
  [{ metadata }, 'addressType is none of IPv4, IPv6, FQDN'],
  [{ metadata: { labels: [] }, addressType: 'IPv4' }, 'metadata.labels is no object'],
  [{ metadata, addressType: 'IPv4', endpoints: 'x' }, 'endpoints is no list'],
  [{ metadata, addressType: 'IPv4', endpoints: [{ addresses: 'x' }] }, 'endpoints[0].addresses is no list'],
  [{ metadata, addressType: 'IPv4', endpoints: [{ addresses: [1] }] }, 'endpoints[0].addresses[0] is no string'],
  [
    { metadata, addressType: 'IPv4', endpoints: [{ addresses: [], conditions: { ready: 'yes' } }] },
    'endpoints[0].conditions.ready is neither true nor false',
  ],
  [
    { metadata, addressType: 'IPv4', endpoints: [{ addresses: [], hints: { forZones: [{ name: 1 }] } }] },
    'endpoints[0].hints.forZones[0].name is no string',
  ],
  [{ metadata, addressType: 'IPv4', ports: {} }, 'ports is no list'],
  [{ metadata, addressType: 'IPv4', ports: [{ port: 'http' }] }, 'ports[0].port is no port number'],
]

for (const [object, reason] of slices) {
  test(`malformed EndpointSlice: ${reason}`, () =>
    expect(readEndpointSlice(ref, object)).toEqual({ kind: 'malformed', reason }))
}

test('an EndpointSlice as the API server writes it, nulls and all', () => {
  expect(
    readEndpointSlice(ref, { metadata, addressType: 'IPv6', endpoints: null, ports: [{ name: '', port: null }] }),
  ).toEqual({
    kind: 'good',
    object: { metadata: { ...metadata, labels: {} }, addressType: 'IPv6', endpoints: [], ports: [{ name: '' }] },
  })
})

test('annotations of the Deployment count one by one', () => {
  const annotations = { a: 'x', b: true, c: 'y' }
  expect(readAnnotations({ metadata: { annotations } })).toEqual({
    annotations: { a: 'x', c: 'y' },
    faults: ['metadata.annotations: the value of "b" is no string; it is ignored'],
  })
  expect(readAnnotations({ metadata: { annotations: 'x' } }).faults).toEqual([
    'metadata.annotations is no map of strings',
  ])
  expect(readAnnotations(null)).toEqual({ annotations: {}, faults: [] })
})

test('no value makes a reader throw', () => {
  fc.assert(
    fc.property(fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true }), object => {
      readRef('Service', object)
      readService(ref, object)
      readEndpointSlice(ref, object)
      readAnnotations(object)
      readService(ref, { metadata: object, spec: object })
      readEndpointSlice(ref, { metadata: object, addressType: 'IPv4', endpoints: [object], ports: [object] })
    }),
    { numRuns: 300, seed: 1 },
  )
})
