import { expect, test } from 'vitest'
import { type AppSettings, readAppSettings } from './app-settings.ts'

const service = { kind: 'Service', namespace: 'shop', name: 'web' }

function read(annotations: Readonly<Record<string, string>>) {
  const prefixed = Object.entries(annotations).map(([key, value]) => [`router.deis.io/${key}`, value])
  return readAppSettings(Object.fromEntries(prefixed), service)
}

test('§6 defaults, without a Problem', () => {
  expect(read({})).toEqual({
    problems: [],
    settings: {
      domains: [],
      certificates: new Map(),
      whitelist: null,
      clientCertificates: null,
      connectTimeout: 30_000,
      tcpTimeout: null,
      maintenance: false,
      enforceHttps: false,
      proxyBuffers: { enabled: null, number: null, size: null, busySize: null },
      regexDomain: null,
      disableRequestStartHeader: false,
      referrerPolicy: null,
      proxyDomain: null,
      proxyLocations: '',
    } satisfies AppSettings,
  })
})

type Want = readonly (readonly [code: string, severity: string])[]
const without: Want = [['annotation-without-effect', 'warning']]
const bad: Want = [['invalid-annotation', 'warning']]
const grave: Want = [['invalid-annotation', 'error']]
const cidr = { address: '1.2.3.4', prefix: 32, family: 'ipv4' }

const cases: readonly (readonly [
  section: string,
  key: string,
  raw: string,
  pick: (settings: AppSettings) => unknown,
  want: unknown,
  problems: Want,
])[] = [
  ['§6', 'domains', 'foo,www.foo.com', s => s.domains, ['foo', 'www.foo.com'], []],
  ['§3 one bad domain', 'domains', 'foo,b_d', s => s.domains, [], grave],
  ['§3 left behind by the controller', 'domains', '', s => s.domains, [], []],
  ['§6', 'certificates', 'foo.com:bar', s => [...s.certificates], [['foo.com', 'bar']], []],
  ['§3 left behind by the controller', 'certificates', '', s => s.certificates.size, 0, []],
  ['§3', 'certificates', 'foo.com', s => s.certificates.size, 0, grave],
  ['§6 §16', 'whitelist', '1.2.3.4', s => s.whitelist, [cidr], []],
  ['§3 left behind by the controller', 'whitelist', '', s => s.whitelist, null, []],
  ['§3 fails closed', 'whitelist', '1.2.3.4,x', s => s.whitelist, [], grave],
  [
    'whom to know',
    'clientCertificates.secret',
    'clients-ca',
    s => s.clientCertificates,
    { secret: 'clients-ca', required: true, passToApp: false },
    [],
  ],
  [
    'fails closed',
    'clientCertificates.secret',
    'other/ca',
    s => s.clientCertificates,
    { secret: null, required: true, passToApp: false },
    grave,
  ],
  [
    'fails closed when emptied',
    'clientCertificates.secret',
    '',
    s => s.clientCertificates,
    { secret: null, required: true, passToApp: false },
    grave,
  ],
  ['§6', 'connectTimeout', '5', s => s.connectTimeout, 5000, []],
  ['§3', 'connectTimeout', '0', s => s.connectTimeout, 30_000, bad],
  ['§6', 'tcpTimeout', '1h', s => s.tcpTimeout, 3_600_000, []],
  ['§3', 'tcpTimeout', '', s => s.tcpTimeout, null, bad],
  ['§6', 'maintenance', 'True', s => s.maintenance, true, []],
  ['§3', 'maintenance', '1', s => s.maintenance, false, bad],
  ['§6', 'ssl.enforce', 'true', s => s.enforceHttps, true, []],
  ['§6 router-wide only', 'ssl.protocols', 'TLSv1.2', s => s.enforceHttps, false, without],
  ['§6 router-wide only', 'ssl.hsts.enabled', 'true', s => s.enforceHttps, false, without],
  ['§6', 'nginx.proxyBuffers.enabled', 'true', s => s.proxyBuffers.enabled, true, []],
  ['§6', 'nginx.proxyBuffers.enabled', 'false', s => s.proxyBuffers.enabled, false, []],
  ['§6', 'nginx.proxyBuffers.number', '4', s => s.proxyBuffers.number, 4, []],
  ['§6', 'nginx.proxyBuffers.size', '8k', s => s.proxyBuffers.size, 8192, []],
  ['§16', 'nginx.proxyBuffers.busySize', '8k', s => s.proxyBuffers.busySize, 8192, without],
  ['§6', 'regexDomain', 'foo-\\d+', s => s.regexDomain, 'foo-\\d+', []],
  ['§6', 'disableRequestStartHeader', 'true', s => s.disableRequestStartHeader, true, []],
  ['§6', 'referrerPolicy', 'no-referrer', s => s.referrerPolicy, 'no-referrer', []],
  ['§6', 'referrerPolicy', 'none', s => s.referrerPolicy, 'none', []],
  ['§6', 'proxyDomain', 'Other', s => s.proxyDomain, 'other', []],
  ['§6', 'proxyDomain', 'o_ther', s => s.proxyDomain, null, bad],
  ['§6', 'proxyLocations', '/a,/b', s => s.proxyLocations, '/a,/b', []],
  ['§4 retired', 'tcellAppID', 'x', s => s.domains, [], without],
  ['§3 unknown', 'Domains', 'foo', s => s.domains, [], []],
]

for (const [section, key, raw, pick, want, problems] of cases) {
  test(`${section} ${key}: ${JSON.stringify(raw)}`, () => {
    const reading = read({ [key]: raw })
    expect(pick(reading.settings)).toEqual(want)
    expect(reading.problems.map(({ code, severity }) => [code, severity])).toEqual(problems)
    for (const problem of reading.problems) {
      expect(problem.object).toEqual(service)
      expect(problem.message).toContain(`router.deis.io/${key}`)
    }
  })
}

test('§3 a bad value leaves the rest of the object in force', () => {
  const { settings } = read({ domains: 'foo', maintenance: 'maybe', connectTimeout: '5s' })
  expect(settings).toMatchObject({ domains: ['foo'], maintenance: false, connectTimeout: 5000 })
})
