import { expect, test } from 'vitest'
import { StartupError } from '#kit/exit.ts'
import { parseConfig, type RouterConfig } from './config.ts'

const defaults: RouterConfig = {
  source: { kind: 'manifests', directory: 'm' },
  namespace: 'default',
  podName: null,
  address: '0.0.0.0',
  httpPort: 8080,
  httpsPort: 6443,
  builderPort: 2222,
  adminPort: 9090,
  workers: null,
  snapshot: null,
  drainTimeout: 25_000,
  ingress: true,
  ingressController: 'router.deis.io/ingress-controller',
  ingressWithoutClass: false,
  externalNames: false,
  publishService: null,
  publishAddresses: [],
  zone: null,
  watchNamespace: null,
  workload: 'Deployment',
  secrets: 'named',
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
  [
    'every flag about Ingress objects and the cluster',
    '--manifests m --ingress off --ingress-controller example.com/a --ingress-without-class on --external-names on --publish-service deis/r --publish-address 192.0.2.1 --zone eu-1a --watch-namespace shop --workload DaemonSet --secrets all',
    {},
    {
      ingress: false,
      ingressController: 'example.com/a',
      ingressWithoutClass: true,
      externalNames: true,
      publishService: { namespace: 'deis', name: 'r' },
      publishAddresses: [{ ip: '192.0.2.1' }],
      zone: 'eu-1a',
      watchNamespace: 'shop',
      workload: 'DaemonSet',
      secrets: 'all',
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
      DEIS_ROUTER_INGRESS: 'off',
      DEIS_ROUTER_INGRESS_CONTROLLER: 'example.com/a',
      DEIS_ROUTER_INGRESS_WITHOUT_CLASS: 'on',
      DEIS_ROUTER_EXTERNAL_NAMES: 'on',
      DEIS_ROUTER_PUBLISH_SERVICE: 'deis/r',
      DEIS_ROUTER_PUBLISH_ADDRESS: 'a.example',
      DEIS_ROUTER_ZONE: 'eu-1a',
      DEIS_ROUTER_WATCH_NAMESPACE: 'shop',
      DEIS_ROUTER_WORKLOAD: 'DaemonSet',
      DEIS_ROUTER_SECRETS: 'all',
      POD_NAMESPACE: 'deis',
      POD_NAME: 'deis-router-1',
    },
    {
      ingress: false,
      ingressController: 'example.com/a',
      ingressWithoutClass: true,
      externalNames: true,
      publishService: { namespace: 'deis', name: 'r' },
      publishAddresses: [{ hostname: 'a.example' }],
      zone: 'eu-1a',
      watchNamespace: 'shop',
      workload: 'DaemonSet',
      secrets: 'all',
      namespace: 'deis',
      podName: 'deis-router-1',
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
  [
    'addresses of several kinds, with blanks, capitals and one twice',
    '',
    { DEIS_ROUTER_MANIFESTS: 'm', DEIS_ROUTER_PUBLISH_ADDRESS: '192.0.2.1, 2001:db8::1,LB.example.com,lb.example.com' },
    { publishAddresses: [{ ip: '192.0.2.1' }, { ip: '2001:db8::1' }, { hostname: 'lb.example.com' }] },
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
  ['a name that no pod has', '--manifests m', { POD_NAME: 'a b' }, ['POD_NAME must be the name of a pod, not "a b"']],
  ['neither on nor off', '--manifests m --ingress yes', {}, ['--ingress must be on or off, not "yes"']],
  ['a controller without a domain', '--manifests m --ingress-controller deis', {}, ['--ingress-controller must be']],
  ['a controller without a path', '--manifests m --ingress-controller deis.io/', {}, ['--ingress-controller must be']],
  [
    'a controller longer than the API takes',
    `--manifests m --ingress-controller deis.io/${'a'.repeat(243)}`,
    {},
    ['--ingress-controller must be a domain and a path'],
  ],
  ['a Service without a namespace', '--manifests m --publish-service r', {}, ['--publish-service must be NAMESPACE/N']],
  ['a Service with a key', '--manifests m --publish-service a/b/c', {}, ['--publish-service must be']],
  ['a mistyped address', '--manifests m --publish-address 192.0.2.300', {}, ['--publish-address must be IP addresses']],
  ['an address with a zone', '--manifests m --publish-address fe80::1%eth0', {}, ['--publish-address must be']],
  ['an address between two commas', '--manifests m --publish-address a,,b', {}, ['--publish-address must be']],
  [
    'more addresses than a status is meant for',
    `--manifests m --publish-address ${Array.from({ length: 33 }, (_, i) => `10.0.0.${i}`).join(',')}`,
    {},
    ['--publish-address must be IP addresses or host names, 32 at most'],
  ],
  [
    'a namespace to watch that is none',
    '--manifests m --watch-namespace A',
    {},
    ['--watch-namespace must be the name'],
  ],
  ['a workload of another kind', '--manifests m --workload Pod', {}, ['--workload must be Deployment or DaemonSet']],
  ['Secrets in another way', '--manifests m --secrets none', {}, ['--secrets must be named or all, not "none"']],
  ['an unknown flag', '--manifests m --bogus', {}, ['unknown argument "--bogus"']],
  ['an argument without flag', '--manifests m 8080', {}, ['unknown argument "8080"']],
  ['a flag without value', '--manifests m --http-port', {}, ["option '--http-port <PORT>' argument missing"]],
  ['an empty value', '--manifests=', {}, ['--manifests is empty']],
  [
    'all faults are told at once',
    '--http-port x --workers y --bogus --ingress x --publish-service x --workload x',
    { POD_NAMESPACE: 'A' },
    [
      '--ingress must',
      '--publish-service must',
      '--workload must',
      '--http-port must',
      '--workers must',
      'unknown argument "--bogus"',
      'POD_NAMESPACE must',
      'pass --kubeconfig',
    ],
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
  for (const name of [
    'kubeconfig',
    'manifests',
    'http-port',
    'workers',
    'snapshot',
    'drain-timeout',
    'publish-address',
  ]) {
    expect(text).toContain(`--${name} <`)
    expect(text).toContain(`[DEIS_ROUTER_${name.toUpperCase().replaceAll('-', '_')}]`)
  }
})
