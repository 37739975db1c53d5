import { describe, expect, test } from 'vitest'
import type { LoadBalancerAddress, Service } from '#kube/types.ts'
import { addressesToPublish, desiredStatus, type PublishAddress } from './published-status.ts'

const service = (spec: Service['spec'], ingress?: readonly LoadBalancerAddress[]): Service => ({
  metadata: { namespace: 'deis', name: 'deis-router' },
  ...(spec === undefined ? {} : { spec }),
  ...(ingress === undefined ? {} : { status: { loadBalancer: { ingress } } }),
})
const fallback: PublishAddress[] = [{ ip: '198.51.100.1' }]

const sources: [name: string, service: Service | null, fallback: PublishAddress[], want: PublishAddress[] | null][] = [
  ['nothing is configured', null, [], null],
  ['static addresses', null, fallback, fallback],
  [
    'the load balancer, in a fixed order, before all others',
    service({ type: 'LoadBalancer', externalIPs: ['192.0.2.9'], clusterIP: '10.0.0.1' }, [
      { hostname: 'lb.example' },
      { ip: '192.0.2.2' },
      { ip: '192.0.2.1', hostname: 'both.example' },
    ]),
    fallback,
    [{ hostname: 'lb.example' }, { ip: '192.0.2.1' }, { ip: '192.0.2.2' }],
  ],
  ['entries that say nothing', service({ type: 'LoadBalancer' }, [{}, { ip: '' }]), fallback, fallback],
  [
    'external IPs',
    service({ type: 'LoadBalancer', externalIPs: ['192.0.2.9'], clusterIP: '10.0.0.1' }, []),
    fallback,
    [{ ip: '192.0.2.9' }],
  ],
  ['a load balancer that is not there yet', service({ type: 'LoadBalancer', clusterIP: '10.0.0.1' }), [], null],
  ['the same, with static addresses', service({ type: 'LoadBalancer', clusterIP: '10.0.0.1' }), fallback, fallback],
  ['ClusterIP', service({ type: 'ClusterIP', clusterIP: '10.0.0.1' }), fallback, [{ ip: '10.0.0.1' }]],
  ['NodePort', service({ type: 'NodePort', clusterIP: '10.0.0.1' }), [], [{ ip: '10.0.0.1' }]],
  ['no type is ClusterIP', service({ clusterIP: '10.0.0.1' }), [], [{ ip: '10.0.0.1' }]],
  ['headless', service({ type: 'ClusterIP', clusterIP: 'None' }), [], null],
  ['ExternalName', service({ type: 'ExternalName', externalName: 'a.example' }), [], [{ hostname: 'a.example' }]],
  ['a Service without anything', service(undefined), [], null],
]
describe('I-S1 where addresses come from', () => {
  for (const [name, given, rest, want] of sources)
    test(name, () => expect(addressesToPublish(given, rest)).toEqual(want))
})

test('more addresses than fit are left out', () => {
  const ingress = Array.from({ length: 100 }, (_, i) => ({ ip: `10.0.0.${i}` }))
  expect(addressesToPublish(service({ type: 'LoadBalancer' }, ingress), [])).toHaveLength(32)
})

const a: PublishAddress[] = [{ ip: '192.0.2.1' }]
const b: PublishAddress[] = [{ hostname: 'b.example' }]
const both: PublishAddress[] = [...a, ...b]
type Row = [
  name: string,
  served: boolean,
  status: readonly LoadBalancerAddress[],
  addresses: PublishAddress[] | null,
  published: PublishAddress[] | null,
  want: PublishAddress[] | null,
]
const rows: Row[] = [
  ['ours, empty', true, [], a, null, a],
  ['ours, told already', true, a, a, null, null],
  ['ours, told in another order', true, [...both].reverse(), both, null, null],
  ['ours, told with the ports that somebody noted', true, [{ ip: '192.0.2.1', ports: [{ port: 80 }] }], a, null, null],
  ['ours, an old address', true, b, a, b, a],
  ['ours, an entry too many', true, both, a, null, a],
  ['ours, what another wrote over it', true, b, a, a, a],
  ['ours, an ip that is told as a hostname', true, [{ hostname: '192.0.2.1' }], a, null, a],
  ['ours, nothing to tell', true, [], null, null, null],
  ['ours, nothing to tell any more: what was told stays', true, a, null, a, null],
  ['not ours, empty', false, [], a, null, null],
  ['not ours any more', false, a, a, a, []],
  ['not ours any more, and the address has changed since', false, a, b, a, []],
  ['not ours any more, nothing to tell any more', false, a, null, a, []],
  ['not ours any more, and another has written', false, b, a, a, null],
  ['not ours, our address, and nobody remembers writing it', false, a, a, null, null],
  ['not ours any more, cleared', false, [], a, [], null],
]
describe('I-S2, I-S3 what to write', () => {
  for (const [name, served, loadBalancer, addresses, published, want] of rows)
    test(name, () => {
      expect(desiredStatus({ namespace: 'shop', name: 'web', served, loadBalancer }, addresses, published)).toEqual(
        want,
      )
    })
})
