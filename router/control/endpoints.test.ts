import { expect, test } from 'vitest'
import type { EndpointSlice } from '#kube/types.ts'
import { endpointsOf } from './endpoints.ts'

type Conditions = NonNullable<NonNullable<EndpointSlice['endpoints']>[number]['conditions']>

const ready: Conditions = { ready: true, serving: true, terminating: false }
const unready: Conditions = { ready: false, serving: false, terminating: false }
const leaving: Conditions = { ready: false, serving: true, terminating: true }
const dying: Conditions = { ready: false, serving: false, terminating: true }

function slice(
  addresses: readonly (readonly [address: string, conditions?: Conditions])[],
  { addressType = 'IPv4', ports = [{ name: 'http', port: 5000 }] }: Partial<EndpointSlice> = {},
): EndpointSlice {
  const endpoints = addresses.map(([address, conditions]) => ({
    addresses: [address],
    ...(conditions && { conditions }),
  }))
  return { metadata: { name: 'slice', namespace: 'shop' }, addressType, endpoints, ports }
}

const cases: readonly (readonly [name: string, slices: readonly EndpointSlice[], portName: string, want: string[]])[] =
  [
    ['§1 ready ones, at the port of the slice', [slice([['10.0.0.1', ready]])], 'http', ['10.0.0.1 5000']],
    ['§9 any ready address of any slice', [slice([]), slice([['10.0.0.2', ready]])], 'http', ['10.0.0.2 5000']],
    ['no conditions means ready', [slice([['10.0.0.1']])], 'http', ['10.0.0.1 5000']],
    ['unknown readiness means ready', [slice([['10.0.0.1', {}]])], 'http', ['10.0.0.1 5000']],
    ['§9 none ready', [slice([['10.0.0.1', unready]])], 'http', []],
    [
      'pods that terminate do not count while one is ready, be it in another slice',
      [slice([['10.0.0.1', leaving]]), slice([['10.0.0.2', ready]])],
      'http',
      ['10.0.0.2 5000'],
    ],
    [
      'pods that terminate but serve count when none is ready',
      [
        slice([
          ['10.0.0.1', leaving],
          ['10.0.0.2', dying],
          ['10.0.0.3', unready],
        ]),
      ],
      'http',
      ['10.0.0.1 5000'],
    ],
    [
      'both families',
      [slice([['10.0.0.1', ready]]), slice([['2001:DB8::1', ready]], { addressType: 'IPv6' })],
      'http',
      ['10.0.0.1 5000', '2001:db8::1 5000'],
    ],
    ['slices of names', [slice([['db.example', ready]], { addressType: 'FQDN' })], 'http', []],
    ['an address of the wrong family', [slice([['::1', ready]])], 'http', []],
    [
      'an address that is none',
      [
        slice([
          ['10.0.0', ready],
          ['10.0.0.2', ready],
        ]),
      ],
      'http',
      ['10.0.0.2 5000'],
    ],
    ['an address with a zone', [slice([['fe80::1%eth0', ready]], { addressType: 'IPv6' })], 'http', []],
    ['another port only', [slice([['10.0.0.1', ready]])], 'https', []],
    ['a port without name', [slice([['10.0.0.1', ready]], { ports: [{ port: 80 }] })], '', ['10.0.0.1 80']],
    [
      'a port with an empty name',
      [slice([['10.0.0.1', ready]], { ports: [{ name: '', port: 80 }] })],
      '',
      ['10.0.0.1 80'],
    ],
    ['a port without number', [slice([['10.0.0.1', ready]], { ports: [{ name: 'http' }] })], 'http', []],
    [
      'a UDP port of the same name',
      [slice([['10.0.0.1', ready]], { ports: [{ name: 'http', port: 53, protocol: 'UDP' }] })],
      'http',
      [],
    ],
    [
      'each slice has its own port number',
      [slice([['10.0.0.1', ready]]), slice([['10.0.0.2', ready]], { ports: [{ name: 'http', port: 8080 }] })],
      'http',
      ['10.0.0.1 5000', '10.0.0.2 8080'],
    ],
    [
      'duplicates, which a slice that is being replaced brings',
      [slice([['10.0.0.1', ready]]), slice([['10.0.0.1', ready]])],
      'http',
      ['10.0.0.1 5000'],
    ],
    ['no slice', [], 'http', []],
  ]

for (const [name, slices, portName, want] of cases) {
  test(name, () => {
    const found = endpointsOf(slices, portName).map(({ address, port }) => `${address} ${port}`)
    expect(found).toEqual(want)
    expect(endpointsOf(slices.toReversed(), portName)).toEqual(endpointsOf(slices, portName))
  })
}

test('all addresses of an endpoint lead to it', () => {
  const { endpoints: _, ...rest } = slice([])
  const found = endpointsOf([{ ...rest, endpoints: [{ addresses: ['10.0.0.2', '10.0.0.1'] }] }], 'http')
  expect(found.map(({ address }) => address)).toEqual(['10.0.0.1', '10.0.0.2'])
})

const zoned: readonly (readonly [
  name: string,
  zones: readonly string[],
  zone: string | null,
  far: readonly boolean[],
])[] = [
  ['those for other zones are far', ['a', 'b', 'a b'], 'a', [false, true, false]],
  ['without a zone of our own all are near', ['a', 'b'], null, [false, false]],
  ['one without a hint makes all near', ['a', ''], 'a', [false, false]],
  ['none for our zone: all are near', ['a', 'b'], 'c', [false, false]],
]

for (const [name, zones, zone, far] of zoned) {
  test(`hints: ${name}`, () => {
    const endpoints = zones.map((names, index) => ({
      addresses: [`10.0.0.${index}`],
      hints: { forZones: names.split(' ').flatMap(name => (name === '' ? [] : [{ name }])) },
    }))
    const found = endpointsOf([{ ...slice([]), endpoints }], 'http', zone)
    expect(found.map(({ far }) => far === true)).toEqual(far)
  })
}

test('hints: of pods that terminate, when no other is left', () => {
  const hintFor = (name: string) => ({ hints: { forZones: [{ name }] } })
  const endpoints = [
    { addresses: ['10.0.0.1'], conditions: leaving, ...hintFor('a') },
    { addresses: ['10.0.0.2'], conditions: leaving, ...hintFor('b') },
    { addresses: ['10.0.0.3'], conditions: dying },
  ]
  expect(endpointsOf([{ ...slice([]), endpoints }], 'http', 'b')).toEqual([
    { address: '10.0.0.1', port: 5000, far: true },
    { address: '10.0.0.2', port: 5000 },
  ])
})
