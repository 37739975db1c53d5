import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { StartupError } from '#kit/exit.ts'
import { type PlatformConfig, parseConfig } from './config.ts'

const standard: PlatformConfig = {
  data: resolve('data'),
  dataName: 'data',
  address: '127.0.0.1',
  httpPort: 8080,
  httpsPort: 6443,
  builderPort: 2222,
  adminPort: 9090,
  accessLog: false,
  logLevel: 'warn',
}

const rows: [args: string, env: Record<string, string>, differs: Partial<PlatformConfig>][] = [
  ['', {}, {}],
  ['--data /x/y --address ::1', {}, { data: '/x/y', dataName: '/x/y', address: '::1' }],
  ['--data=there', {}, { data: resolve('there'), dataName: 'there' }],
  [
    '--http-port 80 --https-port 443 --builder-port 22 --admin-port 90',
    {},
    { httpPort: 80, httpsPort: 443, builderPort: 22, adminPort: 90 },
  ],
  ['--http-port 0 --https-port 0', {}, { httpPort: 0, httpsPort: 0 }],
  ['--access-log on --log-level info', {}, { accessLog: true, logLevel: 'info' }],
  [
    '--http-port 81',
    { DEIS_STANDALONE_HTTP_PORT: '82', DEIS_STANDALONE_ADMIN_PORT: '83' },
    { httpPort: 81, adminPort: 83 },
  ],
]
for (const [args, env, differs] of rows)
  test(`${args} ${Object.keys(env).join(' ')}`, () => {
    expect(parseConfig(args.split(' ').filter(Boolean), env, '1')).toEqual({
      kind: 'run',
      config: { ...standard, ...differs },
    })
  })

const mistakes: [args: string, says: string][] = [
  ['--http-port x --address y', '--address must be an IP address, not "y"; --http-port must be a whole number'],
  ['--http-port 6443', '--http-port and --https-port are both 6443'],
  ['--builder-port 9090', '--builder-port and --admin-port are both 9090'],
  ['--data', "option '--data <DIR>' argument missing"],
  ['--workers 2', 'unknown argument "--workers"'],
]
for (const [args, says] of mistakes)
  test(`${args} is a mistake`, () => {
    let error: unknown = null
    try {
      parseConfig(args.split(' '), {}, '1')
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(StartupError)
    expect([(error as StartupError).exitCode, (error as StartupError).message]).toEqual([
      64,
      expect.stringContaining(says),
    ])
  })

test('help', () => {
  expect(parseConfig(['--help'], {}, '1')).toEqual({
    kind: 'print',
    text: expect.stringContaining('--builder-port <PORT>'),
  })
})
