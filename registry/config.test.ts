import { expect, test } from 'vitest'
import { configOf } from '#kit/command-line.ts'
import { StartupError } from '#kit/exit.ts'
import { parseConfig, type RegistryConfig } from './config.ts'

const parse = (args: readonly string[], env: Readonly<Record<string, string>> = {}): RegistryConfig =>
  configOf(parseConfig(args, env, '1.2.3'))

test('what is not said', () => {
  expect(parse(['--folder', '/data'])).toEqual({
    ...{ address: '0.0.0.0', port: 5000, adminPort: 9092, pullPort: null },
    store: { kind: 'folder', directory: '/data' },
    ...{ tokens: null, deletes: true, absoluteLocations: false, grace: 86_400_000, collectInterval: 21_600_000 },
    ...{ uploadTimeout: 86_400_000, maxUploads: 1000, maxConnections: 2000, patience: 60_000, drainTimeout: 60_000 },
  })
})

test('a bucket, by variables', () => {
  const env = { DEIS_REGISTRY_S3_BUCKET: 'b', DEIS_REGISTRY_S3_ENDPOINT: 'http://minio:9000' }
  const { store } = parse([], env)
  const s3 = { kind: 's3', endpoint: 'http://minio:9000', region: 'us-east-1', bucket: 'b', prefix: '' }
  expect(store).toEqual({ ...s3, credentials: null, pathStyle: true })
})

const faults: [args: readonly string[], message: string][] = [
  [[], 'there is no store'],
  [['--folder', 'a', '--s3-bucket', 'b'], 'exclude each other'],
  [['--folder', 'a', '--token-realm', 'http://x/'], '--token-realm goes with --token-key'],
  [['--folder', 'a', '--token-key', '/dev/null'], '--token-key must be a file with public keys'],
  [['--folder', 'a', '--s3-credentials', '/nowhere'], '--s3-credentials must be a directory'],
  [['--folder', 'a', '--port', '1', '--admin-port', '1'], 'are both 1'],
  [['--folder', 'a', '--pull-port', '5001'], '--pull-port goes with --token-key'],
  [['--folder', 'a', '--pull-port', '5000'], '--port and --pull-port are both 5000'],
  [['--folder', 'a', '--locations', 'x'], '--locations must be relative or absolute'],
]
test.for(faults)('%j', ([args, message]) => {
  expect(() => parse(args)).toThrow(StartupError)
  expect(() => parse(args)).toThrow(message)
})
