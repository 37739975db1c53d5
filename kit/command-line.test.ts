import { expect, test } from 'vitest'
import { configOf, readCommandLine, samePorts } from './command-line.ts'
import { exitCode, StartupError } from './exit.ts'
import * as flag from './flag.ts'
import { httpUrl, serviceUrl } from './service-url.ts'

const place = {
  folder: { ...flag.text(null, 'DIR', 'here'), choiceOf: 'place' },
  bucket: { ...flag.text(null, 'NAME', 'there'), name: 's3-bucket', choiceOf: 'place' },
}
const fields = {
  address: flag.listenAddress(),
  httpPort: flag.port(80, 'plain HTTP', '0: any free port'),
  adminPort: flag.portOrOff(90, 'metrics'),
  workers: flag.count(null, [1, 4], 'threads (default one for each core)'),
  drainTimeout: { ...flag.drainTimeout(25, 'after SIGTERM'), variable: 'DRAIN' },
  packSize: flag.megabytes(2, [1, 8], 'of a push'),
  isolate: flag.onOff(false, 'apart'),
  kind: flag.oneOf('a', ['a', 'b'], 'KIND', 'one of them'),
  hosts: flag.list(['x'], 'A,B', 'whom (default x)'),
  registry: flag.required(
    flag.parsed(null, 'URL', 'a URL', httpUrl, 'where images are'),
    'there is no registry',
    new URL('http://nowhere'),
    (env, faults) => serviceUrl(env, faults, 'REGISTRY'),
  ),
}
const program = { name: 'p', description: 'Does it.', version: '1.2.3', prefix: 'P_', flags: { place, fields } }

const service = { REGISTRY_HOST: '10.0.0.1', REGISTRY_PORT: '5000' }
const read = (line: string, env: flag.Environment = service, told: readonly string[] = []) =>
  configOf(
    readCommandLine(program, line.split(' ').filter(Boolean), env, (values, faults) => {
      faults.push(...told)
      return { ...values.place, ...values.fields }
    }),
  )

const absent = {
  ...{ folder: null, bucket: null, address: '0.0.0.0', httpPort: 80, adminPort: 90, workers: null },
  ...{ drainTimeout: 25_000, packSize: 2 * 2 ** 20, isolate: false, kind: 'a', hosts: ['x'] },
  registry: new URL('http://10.0.0.1:5000'),
}

const rows: [line: string, env: flag.Environment, want: object][] = [
  ['', {}, {}],
  ['', { P_HTTP_PORT: '81', P_ADMIN_PORT: 'off', DRAIN: '1' }, { httpPort: 81, adminPort: null, drainTimeout: 1000 }],
  ['--http-port 82', { P_HTTP_PORT: '81' }, { httpPort: 82 }],
  ['', { P_HTTP_PORT: '' }, {}],
  ['--workers 4 --pack-size 8 --isolate on --kind b', {}, { workers: 4, packSize: 2 ** 23, isolate: true, kind: 'b' }],
  ['--address ::1 --hosts=a,,b', {}, { address: '::1', hosts: ['a', 'b'] }],
  ['', { P_FOLDER: 'f', P_S3_BUCKET: 'b' }, { folder: 'f', bucket: 'b' }],
  ['--s3-bucket c', { P_FOLDER: 'f' }, { bucket: 'c' }],
  ['--registry http://r', {}, { registry: new URL('http://r') }],
]
for (const [line, env, want] of rows)
  test(`${line} ${Object.entries(env).join(' ')}`, () =>
    expect(read(line, { ...service, ...env })).toEqual({ ...absent, ...want }))

const refused: [line: string, env: flag.Environment, says: string][] = [
  ['--address localhost', service, '--address must be an IP address, not "localhost"'],
  ['', { ...service, P_HTTP_PORT: '65536' }, 'P_HTTP_PORT must be a whole number from 0 to 65535, not "65536"'],
  ['--admin-port on', service, '--admin-port must be a port or off, not "on"'],
  ['--workers 0', service, '--workers must be a whole number from 1 to 4, not "0"'],
  ['--isolate yes', service, '--isolate must be on or off, not "yes"'],
  ['--kind c', service, '--kind must be a or b, not "c"'],
  ['--folder=', service, '--folder is empty'],
  ['--folder', service, "option '--folder <DIR>' argument missing"],
  ['--bogus 1', service, 'unknown argument "--bogus"; unknown argument "1"'],
  ['', {}, 'there is no registry'],
  ['', { REGISTRY_HOST: 'a b' }, 'REGISTRY_HOST and REGISTRY_PORT are no host and port'],
  // It is not missing besides.
  ['--registry r', {}, '--registry must be a URL, not "r"'],
  [
    '--kind c --workers x',
    service,
    '--workers must be a whole number from 1 to 4, not "x"; --kind must be a or b, not "c"',
  ],
]
for (const [line, env, says] of refused)
  test(`refused: ${line} ${Object.entries(env).join(' ')}`, () => {
    expect(() => read(line, env)).toThrow(new StartupError(exitCode.usage, `${says} (--help lists the flags)`))
  })

test('what a program finds wrong itself comes last, beside the rest', () => {
  const message = '--workers must be a whole number from 1 to 4, not "x"; too much of it (--help lists the flags)'
  expect(() => read('--workers x', service, ['too much of it'])).toThrow(message)
})

test('help has what a flag is when nobody says, and its variable', () => {
  const command = readCommandLine(program, ['--help'], {}, () => null)
  const text = command.kind === 'print' ? command.text.replace(/\s+/g, ' ') : ''
  expect(text).toContain('--http-port <PORT> plain HTTP (default 80; 0: any free port) [P_HTTP_PORT]')
  expect(text).toContain('--drain-timeout <SECONDS> after SIGTERM (default 25) [DRAIN]')
  expect(text).toContain('--isolate <on|off> apart (default off) [P_ISOLATE]')
  expect(text).toContain('--workers <N> threads (default one for each core) [P_WORKERS]')
  expect(readCommandLine(program, ['--version'], {}, () => null)).toEqual({ kind: 'print', text: '1.2.3\n' })
})

test('ports of one address', () => {
  expect(samePorts({ port: 0, adminPort: 0, pullPort: null, otherPort: null })).toEqual([])
  expect(samePorts({ port: 1, adminPort: 2, pullPort: 1 })).toEqual(['--port and --pull-port are both 1'])
})

test('what is in a file', () => {
  const own = { key: flag.file('a test', content => (content.includes('vitest') ? content.length : null), 'a file') }
  const keyOf = (file: string): number | null =>
    configOf(readCommandLine({ ...program, flags: { own } }, ['--key', file], {}, values => values.own.key))
  expect(keyOf(import.meta.filename)).toBeGreaterThan(100)
  for (const file of ['/dev/null', '/nowhere'])
    expect(() => keyOf(file)).toThrow(`--key must be a file with a test, not "${file}"`)
})
