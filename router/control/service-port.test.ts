import { expect, test } from 'vitest'
import type { Service } from '#kube/types.ts'
import { type PortResolution, resolvePort } from './service-port.ts'

const of = (spec: Service['spec']): Service => ({ metadata: { name: 'web', namespace: 'shop' }, ...(spec && { spec }) })
const web = of({
  ports: [
    { name: 'dns', port: 53, protocol: 'UDP' },
    { name: 'http', port: 80, appProtocol: 'http' },
    { name: 'admin', port: 81, protocol: 'TCP' },
    { name: 'quic', port: 81, protocol: 'UDP' },
  ],
})
const outside = of({ type: 'ExternalName', externalName: 'API.example.net.', ports: [{ name: 'tls', port: 443 }] })

const none = (code: string) => expect.objectContaining({ kind: 'none', code })
const rows: readonly (readonly [
  name: string,
  Service | null,
  number | string,
  externalNames: boolean,
  want: unknown,
])[] = [
  ['I-B1 by number', web, 80, false, { kind: 'slices', port: 80, portName: 'http', appProtocol: 'http' }],
  ['I-B1 by name', web, 'admin', false, { kind: 'slices', port: 81, portName: 'admin', appProtocol: null }],
  ['TCP only, by number', web, 53, false, none('no-backend')],
  ['TCP only, by name', web, 'quic', false, none('no-backend')],
  [
    'I-B1 a port without a name',
    of({ ports: [{ port: 80 }] }),
    80,
    false,
    { kind: 'slices', port: 80, portName: '', appProtocol: null },
  ],
  ['I-B4 no such Service', null, 80, true, none('no-backend')],
  ['I-B4 no such port', web, 8080, false, none('no-backend')],
  ['I-B4 no ports at all', of({}), 80, false, none('no-backend')],
  ['I-B6 off', outside, 443, false, none('unsupported')],
  ['I-B6 by number', outside, 443, true, { kind: 'external', port: 443, host: 'api.example.net', appProtocol: null }],
  [
    'I-B6 by a number that it does not list',
    outside,
    8443,
    true,
    { kind: 'external', port: 8443, host: 'api.example.net', appProtocol: null },
  ],
  ['I-B6 by name', outside, 'tls', true, { kind: 'external', port: 443, host: 'api.example.net', appProtocol: null }],
  ['I-B6 by a name that it does not list', outside, 'http', true, none('no-backend')],
  ['I-B6 no host name', of({ type: 'ExternalName', externalName: 'a b' }), 80, true, none('no-backend')],
  ['I-B6 nothing', of({ type: 'ExternalName' }), 80, true, none('no-backend')],
]

for (const [name, service, wanted, externalNames, want] of rows) {
  test(name, () => {
    const got: PortResolution = resolvePort(service, wanted, externalNames)
    expect(got).toEqual(want)
  })
}
