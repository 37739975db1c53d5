import { expect, test } from 'vitest'
import { type HostAndPort, hostAndPort, serviceAddress } from './host-and-port.ts'

const cases: [text: string, want: HostAndPort | null][] = [
  ['deis-logger:1514', { host: 'deis-logger', port: 1514 }],
  ['deis-logger.deis.svc:1', { host: 'deis-logger.deis.svc', port: 1 }],
  ['192.0.2.1:65535', { host: '192.0.2.1', port: 65_535 }],
  ['[2001:db8::1]:80', { host: '2001:db8::1', port: 80 }],
  ['2001:db8::1:80', null],
  ['[name]:80', null],
  ['[:::]:80', null],
  ['name', null],
  ['name:0', null],
  ['name:65536', null],
  ['name:80/x', null],
  ['na me:80', null],
  [':80', null],
]
for (const [text, want] of cases) test(text, () => expect(hostAndPort(text)).toEqual(want))

test('a Service of the environment', () => {
  const of = (env: Record<string, string>): unknown => {
    const faults: string[] = []
    return [serviceAddress(env, faults, 'DEIS_X_SERVICE', 'DEIS_X_SERVICE_PORT', 80), faults]
  }
  expect(of({})).toEqual([null, []])
  expect(of({ DEIS_X_SERVICE_HOST: '10.0.0.1' })).toEqual([{ host: '10.0.0.1', port: 80 }, []])
  expect(of({ DEIS_X_SERVICE_HOST: 'fd00::1', DEIS_X_SERVICE_PORT: '90' })).toEqual([{ host: 'fd00::1', port: 90 }, []])
  expect(of({ DEIS_X_SERVICE_HOST: '10.0.0.1', DEIS_X_SERVICE_PORT: 'tcp://' })).toEqual([
    null,
    ['DEIS_X_SERVICE_HOST and DEIS_X_SERVICE_PORT are no host and port'],
  ])
})
