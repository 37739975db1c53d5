import { describe, expect, test } from 'vitest'
import type { Problem } from '../model/problem.ts'
import { standardUpstreamSettings, type UpstreamSettings } from '../model/upstream-settings.ts'
import { readUpstreamSettings } from './upstream-settings.ts'

const object = { kind: 'Service', namespace: 'shop', name: 'web' }

function read(
  annotations: Readonly<Record<string, string>>,
  appProtocol: string | null = null,
): { readonly settings: UpstreamSettings; readonly problems: readonly Problem[] } {
  const prefixed = Object.entries(annotations).map(([key, value]) => [`router.deis.io/${key}`, value])
  return readUpstreamSettings(Object.fromEntries(prefixed), object, appProtocol)
}

test('nothing is set: one object for all', () => {
  expect(read({}).settings).toBe(standardUpstreamSettings)
  expect(read({ domains: 'a.example' }, 'http').settings).toBe(standardUpstreamSettings)
})

test('every default, spelt out, is the standard', () => {
  const defaults = {
    backendProtocol: 'HTTP',
    'backendTls.verify': 'false',
    loadBalancing: 'power-of-two',
    'ejection.on': 'connections',
    'ejection.failures': '5',
  }
  expect(read(defaults)).toEqual({ settings: standardUpstreamSettings, problems: [] })
})

const { limits, ejection } = standardUpstreamSettings
const check = { path: '/healthz', interval: 10_000, timeout: 2000, unhealthy: 3, healthy: 2 }

const good: [annotations: Readonly<Record<string, string>>, want: Partial<UpstreamSettings>][] = [
  [{ backendProtocol: 'https' }, { protocol: 'https' }],
  [{ backendProtocol: 'H2c' }, { protocol: 'h2c' }],
  [{ backendProtocol: 'H2' }, { protocol: 'h2' }],
  [{ backendProtocol: 'grpc' }, { protocol: 'h2c' }],
  [{ backendProtocol: 'GRPCS' }, { protocol: 'h2' }],
  [{ 'backendTls.serverName': 'App.Internal' }, { tls: { serverName: 'app.internal', verify: false } }],
  [
    { backendProtocol: 'HTTPS', 'backendTls.verify': 'true' },
    { protocol: 'https', tls: { serverName: null, verify: true } },
  ],
  [{ loadBalancing: 'round-robin' }, { balance: { kind: 'round-robin' } }],
  [{ loadBalancing: 'hash' }, { balance: { kind: 'hash', by: { kind: 'client-address' } } }],
  [
    { loadBalancing: 'hash', hashBy: 'header:X-Tenant' },
    { balance: { kind: 'hash', by: { kind: 'header', name: 'x-tenant' } } },
  ],
  [{ loadBalancing: 'hash', hashBy: 'cookie:Sid' }, { balance: { kind: 'hash', by: { kind: 'cookie', name: 'Sid' } } }],
  [{ stickyCookie: 'route' }, { stickyCookie: 'route' }],
  [{ slowStart: '30s' }, { slowStart: 30_000 }],
  [{ maxRequests: '50' }, { limits: { ...limits, requests: 50 } }],
  [
    { maxEndpointRequests: '5', queueLength: '0', queueTimeout: '250ms' },
    { limits: { ...limits, endpointRequests: 5, queueLength: 0, queueTimeout: 250 } },
  ],
  [{ 'ejection.on': 'answers', 'ejection.failures': '3' }, { ejection: { on: 'answers', failures: 3 } }],
  [{ 'ejection.on': 'off' }, { ejection: { ...ejection, on: 'off' } }],
  [{ 'healthCheck.path': '/healthz' }, { healthCheck: check }],
  [
    { 'healthCheck.path': '/healthz', 'healthCheck.interval': '1s', 'healthCheck.healthy': '1' },
    { healthCheck: { ...check, interval: 1000, timeout: 1000, healthy: 1 } },
  ],
]

for (const [annotations, want] of good) {
  test(JSON.stringify(annotations), () => {
    expect(read(annotations)).toEqual({ settings: { ...standardUpstreamSettings, ...want }, problems: [] })
  })
}

/** What each bad value costs: itself, and a Problem. */
const bad: [key: string, value: string, severity: Problem['severity'], want?: Partial<UpstreamSettings>][] = [
  ['backendProtocol', 'FCGI', 'warning'],
  ['backendTls.serverName', 'a b', 'warning'],
  ['backendTls.verify', 'yes', 'error', { tls: { serverName: null, verify: true } }],
  ['loadBalancing', 'least_conn', 'warning'],
  ['hashBy', 'header:', 'warning'],
  ['hashBy', 'body', 'warning'],
  ['stickyCookie', 'a;b', 'warning'],
  ['slowStart', '2h', 'warning'],
  ['maxRequests', '0', 'error', { limits: { ...limits, requests: 100 } }],
  ['maxRequests', 'many', 'error', { limits: { ...limits, requests: 100 } }],
  ['maxEndpointRequests', '-1', 'error', { limits: { ...limits, endpointRequests: 20 } }],
  ['queueLength', '100000', 'error', { limits: { ...limits, queueLength: 0 } }],
  ['queueTimeout', '1h', 'error'],
  ['ejection.on', 'always', 'warning'],
  ['ejection.failures', '0', 'warning'],
  ['healthCheck.path', 'healthz', 'warning'],
  ['healthCheck.path', '/a b', 'warning'],
  ['healthCheck.path', '/a\r\nHost: b', 'warning'],
  ['healthCheck.interval', '100ms', 'warning'],
  ['healthCheck.timeout', 'soon', 'warning'],
  ['healthCheck.unhealthy', '0', 'warning'],
  ['healthCheck.healthy', '1000', 'warning'],
]

describe('a bad value costs only itself', () => {
  for (const [key, value, severity, want = {}] of bad) {
    test(`${key}: ${JSON.stringify(value)}`, () => {
      const { settings, problems } = read({
        [key]: value,
        stickyCookie: 's',
        ...(key === 'stickyCookie' && { [key]: value }),
      })
      const sticky = key === 'stickyCookie' ? null : 's'
      expect(settings).toEqual({ ...standardUpstreamSettings, stickyCookie: sticky, ...want })
      expect(problems[0]).toMatchObject({ code: 'invalid-annotation', severity, object })
      expect(problems[0]!.message).toContain(`router.deis.io/${key}: `)
      expect(problems.slice(1).every(({ code }) => code === 'annotation-without-effect')).toBe(true)
    })
  }
})

test('what a bad limit comes to is said', () => {
  expect(read({ maxRequests: 'many' }).problems.map(({ message }) => message)).toEqual([
    'router.deis.io/maxRequests: "many" is no whole number from 1; it is taken for 100',
  ])
})

const useless: [annotations: Readonly<Record<string, string>>, key: string][] = [
  [{ hashBy: 'client-address' }, 'hashBy'],
  [{ 'healthCheck.interval': '1s' }, 'healthCheck.interval'],
  [{ queueLength: '5' }, 'queueLength'],
  [{ queueTimeout: '5s' }, 'queueTimeout'],
  [{ 'backendTls.verify': 'true' }, 'backendTls.verify'],
]

for (const [annotations, key] of useless) {
  test(`${key} alone says nothing`, () => {
    const { problems } = read(annotations)
    expect(problems).toMatchObject([{ code: 'annotation-without-effect', severity: 'warning' }])
    expect(problems[0]!.message).toContain(`router.deis.io/${key} says nothing without`)
  })
}

const hints: [appProtocol: string, protocol: UpstreamSettings['protocol'], isKnown: boolean][] = [
  ['http', 'http1', true],
  ['HTTP', 'http1', true],
  ['kubernetes.io/ws', 'http1', true],
  ['kubernetes.io/wss', 'https', true],
  ['https', 'https', true],
  ['kubernetes.io/h2c', 'h2c', true],
  ['grpc', 'h2c', true],
  ['mqtt', 'http1', false],
  ['constructor', 'http1', false],
]

for (const [appProtocol, protocol, isKnown] of hints) {
  test(`appProtocol ${appProtocol}`, () => {
    const { settings, problems } = read({}, appProtocol)
    expect(settings.protocol).toBe(protocol)
    const problem = { code: 'unsupported', severity: 'warning', object }
    expect(problems).toMatchObject(isKnown ? [] : [problem])
  })
}

test('the annotation goes before appProtocol', () => {
  expect(read({ backendProtocol: 'HTTPS' }, 'mqtt')).toMatchObject({ settings: { protocol: 'https' }, problems: [] })
})
