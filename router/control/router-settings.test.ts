import { expect, test } from 'vitest'
import type { RouterSettings } from '../model/settings.ts'
import { readRouterSettings } from './router-settings.ts'

const deployment = { kind: 'Deployment', namespace: 'deis', name: 'deis-router' }

function read(annotations: Readonly<Record<string, string>>) {
  const prefixed = Object.entries(annotations).map(([key, value]) => [`router.deis.io/nginx.${key}`, value])
  return readRouterSettings(Object.fromEntries(prefixed), deployment, null)
}

test('§4 defaults, without a Problem', () => {
  expect(read({})).toEqual({
    problems: [],
    settings: {
      workerProcesses: null,
      maxWorkerConnections: null,
      defaultTimeout: 1_300_000,
      requestIds: false,
      requestStartHeader: false,
      gzip: {
        enabled: true,
        compLevel: 5,
        disable: ['msie6'],
        httpVersion: '1.1',
        minLength: 256,
        proxied: ['any'],
        types: [
          'application/atom+xml',
          'application/javascript',
          'application/json',
          'application/rss+xml',
          'application/vnd.ms-fontobject',
          'application/x-font-ttf',
          'application/x-web-app-manifest+json',
          'application/xhtml+xml',
          'application/xml',
          'font/opentype',
          'image/svg+xml',
          'image/x-icon',
          'text/css',
          'text/plain',
          'text/x-component',
        ],
        vary: true,
      },
      brotli: { enabled: true, compLevel: 4 },
      zstd: { enabled: true, compLevel: 3 },
      bodySize: 1_048_576,
      largeHeaderBuffers: { count: 4, size: 32_768 },
      disableServerTokens: false,
      proxyRealIpCidrs: [{ address: '10.0.0.0', prefix: 8, family: 'ipv4' }],
      forwardedFrom: 'any',
      maxHops: 5,
      useProxyProtocol: false,
      errorLogLevel: 'error',
      platformDomain: null,
      enforceWhitelists: false,
      defaultWhitelist: null,
      whitelistMode: 'extend',
      defaultService: { enabled: false, address: '', app: '' },
      http2Enabled: true,
      http2Cleartext: false,
      logFormat: null,
      proxyBuffers: { enabled: false, number: 8, size: 4096, busySize: 8192 },
      referrerPolicy: null,
      enableRegexDomains: false,
      hostOwnership: 'object',
      hostOwnershipTrusted: [],
      tls: {
        enforce: false,
        protocols: ['TLSv1.2', 'TLSv1.3'],
        ciphers: null,
        sessionCache: '',
        sessionTimeout: 600_000,
        useSessionTickets: true,
        bufferSize: 4096,
        dhParameters: null,
        earlyDataMethods: ['GET', 'HEAD', 'OPTIONS'],
        hsts: { enabled: false, maxAge: 15_552_000, includeSubDomains: false, preload: false },
      },
      platformCertificate: null,
    } satisfies RouterSettings,
  })
})

const values: readonly (readonly [
  key: string,
  raw: string,
  pick: (settings: RouterSettings) => unknown,
  want: unknown,
])[] = [
  ['workerProcesses', 'auto', s => s.workerProcesses, null],
  ['workerProcesses', '4', s => s.workerProcesses, 4],
  ['maxWorkerConnections', '1024', s => s.maxWorkerConnections, 1024],
  ['defaultTimeout', '10', s => s.defaultTimeout, 10_000],
  ['requestIDs', 'True', s => s.requestIds, true],
  ['requestStartHeader', 'true', s => s.requestStartHeader, true],
  ['gzip.enabled', 'false', s => s.gzip.enabled, false],
  ['gzip.compLevel', '9', s => s.gzip.compLevel, 9],
  ['gzip.disable', 'msie6 Foo.*', s => s.gzip.disable, ['msie6', 'Foo.*']],
  ['gzip.disable', '', s => s.gzip.disable, []],
  ['gzip.httpVersion', '1.0', s => s.gzip.httpVersion, '1.0'],
  ['gzip.minLength', '0', s => s.gzip.minLength, 0],
  ['gzip.proxied', 'expired no-cache', s => s.gzip.proxied, ['expired', 'no-cache']],
  ['gzip.types', 'text/css image/svg+xml', s => s.gzip.types, ['text/css', 'image/svg+xml']],
  ['gzip.vary', 'off', s => s.gzip.vary, false],
  ['brotli.enabled', 'false', s => s.brotli, { enabled: false, compLevel: 4 }],
  ['brotli.compLevel', '0', s => s.brotli.compLevel, 0],
  ['zstd.enabled', 'false', s => s.zstd, { enabled: false, compLevel: 3 }],
  ['zstd.compLevel', '12', s => s.zstd.compLevel, 12],
  ['forwardedFrom', 'proxies', s => s.forwardedFrom, 'proxies'],
  ['bodySize', '0', s => s.bodySize, 0],
  ['bodySize', '10M', s => s.bodySize, 10_485_760],
  ['largeHeaderBuffersCount', '8', s => s.largeHeaderBuffers, { count: 8, size: 32_768 }],
  ['largeHeaderBuffersSize', '8k', s => s.largeHeaderBuffers, { count: 4, size: 8192 }],
  ['disableServerTokens', 'true', s => s.disableServerTokens, true],
  ['proxyRealIpCidrs', '::1,', s => s.proxyRealIpCidrs, [{ address: '::1', prefix: 128, family: 'ipv6' }]],
  ['useProxyProtocol', 'true', s => s.useProxyProtocol, true],
  ['errorLogLevel', 'emerg', s => s.errorLogLevel, 'emerg'],
  ['platformDomain', 'Apps.Example.com', s => s.platformDomain, 'apps.example.com'],
  ['platformDomain', 'localhost', s => s.platformDomain, 'localhost'],
  ['enforceWhitelists', 'true', s => s.enforceWhitelists, true],
  ['defaultWhitelist', '1.2.3.4', s => s.defaultWhitelist, [{ address: '1.2.3.4', prefix: 32, family: 'ipv4' }]],
  ['whitelistMode', 'override', s => s.whitelistMode, 'override'],
  ['defaultServiceEnabled', 'true', s => s.defaultService.enabled, true],
  ['defaultServiceIP', '10.1.1.1', s => s.defaultService.address, '10.1.1.1'],
  ['defaultAppName', 'fallback', s => s.defaultService.app, 'fallback'],
  ['http2Enabled', 'false', s => s.http2Enabled, false],
  ['http2Cleartext', 'true', s => s.http2Cleartext, true],
  ['logFormat', '$status "$request"', s => s.logFormat, '$status "$request"'],
  ['proxyBuffers.enabled', 'true', s => s.proxyBuffers.enabled, true],
  ['proxyBuffers.number', '16', s => s.proxyBuffers.number, 16],
  ['proxyBuffers.size', '16k', s => s.proxyBuffers.size, 16_384],
  ['proxyBuffers.busySize', '32k', s => s.proxyBuffers.busySize, 32_768],
  ['referrerPolicy', 'strict-origin', s => s.referrerPolicy, 'strict-origin'],
  ['referrerPolicy', 'none', s => s.referrerPolicy, 'none'],
  ['enableRegexDomains', 'true', s => s.enableRegexDomains, true],
  ['ssl.enforce', 'true', s => s.tls.enforce, true],
  ['ssl.protocols', 'TLSv1.2', s => s.tls.protocols, ['TLSv1.2']],
  ['ssl.ciphers', '[HIGH|AES128]:!aNULL', s => s.tls.ciphers, '[HIGH|AES128]:!aNULL'],
  ['ssl.ciphers', '', s => s.tls.ciphers, null],
  ['ssl.sessionCache', 'builtin:100 shared:SSL:10m', s => s.tls.sessionCache, 'builtin:100 shared:SSL:10m'],
  ['ssl.sessionTimeout', '500ms', s => s.tls.sessionTimeout, 500],
  ['ssl.useSessionTickets', 'false', s => s.tls.useSessionTickets, false],
  ['ssl.bufferSize', '16k', s => s.tls.bufferSize, 16_384],
  ['ssl.earlyDataMethods', 'GET', s => s.tls.earlyDataMethods, ['GET']],
  ['ssl.earlyDataMethods', '', s => s.tls.earlyDataMethods, []],
  ['ssl.hsts.enabled', 'true', s => [s.tls.hsts.enabled, s.tls.enforce], [true, true]],
  ['ssl.hsts.maxAge', '60', s => s.tls.hsts.maxAge, 60],
  ['ssl.hsts.includeSubDomains', 'true', s => s.tls.hsts.includeSubDomains, true],
  ['ssl.hsts.preload', 'true', s => s.tls.hsts.preload, true],
]

for (const [key, raw, pick, want] of values) {
  test(`§4 ${key}: ${JSON.stringify(raw)}`, () => {
    const { settings, problems } = read({ [key]: raw })
    expect(pick(settings)).toEqual(want)
    expect(problems.filter(({ code }) => code === 'invalid-annotation')).toEqual([])
  })
}

const badValues: readonly (readonly [key: string, raw: string])[] = [
  ['workerProcesses', '0'],
  ['workerProcesses', '257'],
  ['defaultTimeout', '0'],
  ['requestIDs', 'yes'],
  ['gzip.compLevel', '10'],
  ['gzip.proxied', 'sometimes'],
  ['gzip.types', 'text'],
  ['gzip.vary', 'true'],
  ['bodySize', '1g'],
  ['largeHeaderBuffersSize', '0'],
  ['largeHeaderBuffersCount', '99999999999999999999'],
  ['proxyRealIpCidrs', '10.0.0.0/8,x'],
  ['errorLogLevel', 'Error'],
  ['platformDomain', 'example'],
  ['platformDomain', 'foo.c'],
  ['platformDomain', 'xn--p1ai.com'],
  ['platformDomain', 'foo.com '],
  ['whitelistMode', 'both'],
  ['referrerPolicy', 'never'],
  ['logFormat', ''],
  ['logFormat', 'a\nb'],
  ['ssl.protocols', 'TLSv1.4'],
  ['ssl.ciphers', 'a; b'],
  ['ssl.sessionCache', 'shared'],
  ['ssl.sessionCache', 'builtin builtin builtin'],
  ['ssl.earlyDataMethods', 'get'],
  ['ssl.hsts.maxAge', '9007199254740993'],
  ['brotli.compLevel', '9'],
  ['zstd.compLevel', '13'],
  ['zstd.compLevel', '0'],
  ['forwardedFrom', 'all'],
  ['serverNameHashMaxSize', 'big'],
]

for (const [key, raw] of badValues) {
  test(`§3 bad value, only that key is dropped: ${key} ${JSON.stringify(raw)}`, () => {
    const { settings, problems } = read({ [key]: raw, requestStartHeader: 'true' })
    expect(settings).toEqual({ ...read({}).settings, requestStartHeader: true })
    expect(problems).toMatchObject([{ code: 'invalid-annotation', object: deployment }])
    expect(problems[0]!.message).toContain(`router.deis.io/nginx.${key}: ${JSON.stringify(raw)}`)
  })
}

test('§3 the Problem of a bad value names key, value and default', () => {
  expect(read({ defaultTimeout: '1h30m' }).problems).toEqual([
    {
      code: 'invalid-annotation',
      severity: 'warning',
      object: deployment,
      message:
        'router.deis.io/nginx.defaultTimeout: "1h30m" is no duration (a whole number from 1 and one of ' +
        'ms s m h d w M y); the default stays: 1300s',
    },
  ])
})

test('a long value is cut and escaped in the message', () => {
  const { message } = read({ requestIDs: `\n${'x'.repeat(5000)}` }).problems[0]!
  expect(message).toContain(`"\\n${'x'.repeat(79)}…"`)
  expect(message.length).toBeLessThan(200)
})

const effects: readonly (readonly [key: string, raw: string, code: string | null, severity?: string])[] = [
  ['defaultTimeout', '10', null],
  ['requestIDs', 'true', null],
  ['requestStartHeader', 'true', null],
  ['proxyRealIpCidrs', '10.0.0.0/8', null],
  ['platformDomain', 'foo.com', null],
  ['ssl.enforce', 'true', null],
  ['largeHeaderBuffersCount', '4', null],
  ['largeHeaderBuffersSize', '8k', null],
  ['disableServerTokens', 'true', null],
  ['errorLogLevel', 'debug', null],
  ['gzip.compLevel', '5', null],
  ['logFormat', '$status', null],
  ['ssl.hsts.enabled', 'true', null],
  ['trafficStatusZoneSize', '1m', 'annotation-without-effect', 'warning'],
  ['serverNameHashMaxSize', '512', 'annotation-without-effect', 'warning'],
  ['serverNameHashBucketSize', '64', 'annotation-without-effect', 'warning'],
  ['proxyBuffers.busySize', '8k', 'annotation-without-effect', 'warning'],
  ['ssl.earlyDataMethods', 'GET', 'annotation-without-effect', 'warning'],
  ['bodySize', '1m', null],
  ['useProxyProtocol', 'true', null],
  ['enforceWhitelists', 'true', null],
  ['defaultWhitelist', '1.2.3.4', null],
  ['whitelistMode', 'override', null],
  ['loadModsecurityModule', 'true', 'not-enforced', 'error'],
  ['ssl.protocols', 'TLSv1.2', null],
  ['ssl.ciphers', 'HIGH', null],
  // What they ask for holds without anybody's doing.
  ['useProxyProtocol', 'false', null],
  ['loadModsecurityModule', 'False', null],
  ['bodySize', '0', null],
  ['gzip.enabled', 'false', null],
  ['ssl.earlyDataMethods', '', null],
  // Retired.
  ['http2MaxHeaderSize', '1k', 'annotation-without-effect', 'warning'],
  ['http2MaxFieldSize', '1k', 'annotation-without-effect', 'warning'],
  ['loadTcellModule', 'true', 'annotation-without-effect', 'warning'],
  ['globalTcellAppID', 'x', 'annotation-without-effect', 'warning'],
  ['proxyRealIpCidr', '10.0.0.0/8', 'annotation-without-effect', 'warning'],
  ['defaultDomain', 'foo.com', 'annotation-without-effect', 'warning'],
  // Nobody's: silence.
  ['DefaultAppName', 'x', null],
  ['noSuchKey', 'x', null],
]

const partial: readonly (readonly [key: string, raw: string, says: readonly string[]])[] = [
  ['gzip.disable', 'a(', ['expression "a("']],
  ['logFormat', '$status $nonsense', ['nonsense']],
  ['ssl.protocols', 'TLSv1.1 TLSv1.3', ['TLSv1.2 is spoken too', 'TLSv1.1 is obsolete']],
  ['ssl.bufferSize', '1', ['512 octets at least']],
  ['ssl.bufferSize', '1m', ['16k at most']],
  ['largeHeaderBuffersSize', '1', ['414 or 431']],
  ['ssl.protocols', 'SSLv3', ['SSLv3 is broken', 'TLSv1.2 and TLSv1.3 it is']],
  ['ssl.ciphers', 'ECDHE-RSA-AES128-GCM-SHA256:NO-SUCH', ['"NO-SUCH" is no cipher suite']],
]

for (const [key, raw, says] of partial) {
  test(`§16 ${key}: ${JSON.stringify(raw)} is in force in part, and says so`, () => {
    const { problems } = read({ [key]: raw })
    expect(problems).toMatchObject([{ code: 'invalid-annotation', severity: 'warning', object: deployment }])
    for (const text of [`router.deis.io/nginx.${key}`, ...says]) expect(problems[0]!.message).toContain(text)
  })
}

for (const [key, raw, code, severity] of effects) {
  test(`§16 ${key}: ${JSON.stringify(raw)} gives ${code ?? 'no Problem'}`, () => {
    expect(read({ [key]: raw }).problems.map(problem => [problem.code, problem.severity])).toEqual(
      code === null ? [] : [[code, severity]],
    )
  })
}

test('§3 a default whitelist that cannot be read lets nobody in', () => {
  const { settings, problems } = read({ defaultWhitelist: '10.0.0.0/8,x' })
  expect(settings.defaultWhitelist).toEqual([])
  expect(problems).toMatchObject([{ code: 'invalid-annotation', severity: 'error' }])
  expect(problems[0]!.message).toContain('lets nobody in')
  expect(read({ defaultWhitelist: '' }).settings.defaultWhitelist).toBe(null)
})

test('§3 keys are case-sensitive and need their prefix', () => {
  const { settings, problems } = readRouterSettings(
    { 'router.deis.io/nginx.requestids': 'true', 'router.deis.io/requestIDs': 'true', requestIDs: 'true' },
    deployment,
    null,
  )
  expect(settings.requestIds).toBe(false)
  expect(problems).toEqual([])
})

test('settings are frozen all the way down', () => {
  const { settings } = read({ proxyRealIpCidrs: '10.0.0.0/8' })
  expect(
    [settings, settings.tls.hsts, settings.proxyRealIpCidrs, settings.proxyRealIpCidrs[0]].every(Object.isFrozen),
  ).toBe(true)
})
