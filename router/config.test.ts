import { expect, test } from 'vitest'
import { StartupError } from '#kit/exit.ts'
import { parseConfig, type RouterConfig } from './config.ts'

const defaults: RouterConfig = {
  source: { kind: 'manifests', directory: 'm' },
  namespace: 'default',
  address: '0.0.0.0',
  httpPort: 8080,
  httpsPort: 6443,
  builderPort: 2222,
  adminPort: 9090,
  workers: null,
  snapshot: null,
  drainTimeout: 25_000,
}
const parse = (argv: string, env: Record<string, string> = {}) =>
  parseConfig(argv.split(' ').filter(Boolean), env, '1.2.3')

const accepted: [name: string, argv: string, env: Record<string, string>, want: Partial<RouterConfig>][] = [
  ['defaults', '--manifests m', {}, {}],
  [
    'every flag',
    '--kubeconfig k --address 127.0.0.1 --http-port 1 --https-port 2 --builder-port 3 --admin-port 4 --workers 5 --snapshot s --drain-timeout 6',
    {},
    {
      source: { kind: 'kubernetes', kubeconfig: 'k' },
      address: '127.0.0.1',
      httpPort: 1,
      httpsPort: 2,
      builderPort: 3,
      adminPort: 4,
      workers: 5,
      snapshot: 's',
      drainTimeout: 6000,
    },
  ],
  ['flags with an equals sign', '--manifests=m --http-port=1', {}, { httpPort: 1 }],
  [
    'every variable',
    '',
    {
      DEIS_ROUTER_MANIFESTS: 'm',
      DEIS_ROUTER_ADDRESS: '::1',
      DEIS_ROUTER_HTTP_PORT: '1',
      DEIS_ROUTER_HTTPS_PORT: '2',
      DEIS_ROUTER_BUILDER_PORT: '3',
      DEIS_ROUTER_ADMIN_PORT: '4',
      DEIS_ROUTER_WORKERS: '5',
      DEIS_ROUTER_SNAPSHOT: 's',
      DEIS_ROUTER_DRAIN_TIMEOUT: '0',
      POD_NAMESPACE: 'deis',
    },
    {
      namespace: 'deis',
      address: '::1',
      httpPort: 1,
      httpsPort: 2,
      builderPort: 3,
      adminPort: 4,
      workers: 5,
      snapshot: 's',
      drainTimeout: 0,
    },
  ],
  ['a flag beats its variable', '--manifests m --http-port 1', { DEIS_ROUTER_HTTP_PORT: '2' }, { httpPort: 1 }],
  ['a source flag beats the other source variable', '--manifests m', { DEIS_ROUTER_KUBECONFIG: 'k' }, {}],
  ['an empty variable is absent', '--manifests m', { DEIS_ROUTER_HTTP_PORT: '', POD_NAMESPACE: '' }, {}],
  ['in a pod', '', { KUBERNETES_SERVICE_HOST: '10.0.0.1' }, { source: { kind: 'kubernetes', kubeconfig: null } }],
  [
    'any free port, four times',
    '--manifests m --http-port 0 --https-port 0 --builder-port 0 --admin-port 0',
    {},
    {
      httpPort: 0,
      httpsPort: 0,
      builderPort: 0,
      adminPort: 0,
    },
  ],
  ['rate limits of older charts', '--manifests m', { RATE_LIMIT_QPS: '5', RATE_LIMIT_BURST: 'x' }, {}],
]
for (const [name, argv, env, want] of accepted)
  test(name, () => expect(parse(argv, env)).toEqual({ kind: 'run', config: { ...defaults, ...want } }))

const refused: [name: string, argv: string, env: Record<string, string>, faults: readonly string[]][] = [
  ['no source', '', {}, ['not a pod of a cluster: pass --kubeconfig FILE or --manifests DIR']],
  ['two sources', '--manifests m --kubeconfig k', {}, ['--kubeconfig and --manifests exclude each other']],
  ['two sources in variables', '', { DEIS_ROUTER_MANIFESTS: 'm', DEIS_ROUTER_KUBECONFIG: 'k' }, ['exclude each other']],
  [
    'a port that is no number',
    '--manifests m --http-port http',
    {},
    ['--http-port must be a whole number from 0 to 65535, not "http"'],
  ],
  ['a port too large', '--manifests m', { DEIS_ROUTER_ADMIN_PORT: '65536' }, ['DEIS_ROUTER_ADMIN_PORT must be']],
  ['hexadecimal', '--manifests m --http-port 0x50', {}, ['--http-port must be']],
  ['no workers', '--manifests m --workers 0', {}, ['--workers must be a whole number from 1 to 256, not "0"']],
  [
    'a name for an address',
    '--manifests m --address localhost',
    {},
    ['--address must be an IP address, not "localhost"'],
  ],
  ['one port twice', '--manifests m --http-port 6443', {}, ['--http-port and --https-port are both 6443']],
  ['a namespace that is none', '--manifests m', { POD_NAMESPACE: '../x' }, ['POD_NAMESPACE must be the name']],
  ['an unknown flag', '--manifests m --bogus', {}, ['unknown argument "--bogus"']],
  ['an argument without flag', '--manifests m 8080', {}, ['unknown argument "8080"']],
  ['a flag without value', '--manifests m --http-port', {}, ["option '--http-port <PORT>' argument missing"]],
  ['an empty value', '--manifests=', {}, ['--manifests is empty']],
  [
    'all faults are told at once',
    '--http-port x --workers y --bogus',
    { POD_NAMESPACE: 'A' },
    ['--http-port must', '--workers must', 'unknown argument "--bogus"', 'POD_NAMESPACE must', 'pass --kubeconfig'],
  ],
]
for (const [name, argv, env, faults] of refused)
  test(`refused: ${name}`, () => {
    let thrown: unknown
    try {
      parse(argv, env)
    } catch (error) {
      thrown = error
    }
    expect(thrown).toBeInstanceOf(StartupError)
    expect(thrown).toMatchObject({ exitCode: 64 })
    for (const fault of faults) expect((thrown as Error).message).toContain(fault)
  })

test('--version prints the version', () => {
  expect(parse('--version')).toEqual({ kind: 'print', text: '1.2.3\n' })
})

test('--help names every flag with its variable', () => {
  const help = parse('--help')
  const text = help.kind === 'print' ? help.text : ''
  for (const name of ['kubeconfig', 'manifests', 'http-port', 'workers', 'snapshot', 'drain-timeout']) {
    expect(text).toContain(`--${name} <`)
    expect(text).toContain(`[DEIS_ROUTER_${name.toUpperCase().replaceAll('-', '_')}]`)
  }
})
