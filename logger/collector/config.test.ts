import { expect, test } from 'vitest'
import { parseConfig } from './config.ts'

const inPod = { KUBERNETES_SERVICE_HOST: '10.0.0.1', NODE_NAME: 'node1' }

test('what a DaemonSet has', () => {
  const env = { ...inPod, POD_NAMESPACE: 'platform', DEIS_LOGGER_SERVICE_HOST: '10.0.0.2' }
  expect(parseConfig([], env, '1')).toEqual({
    kind: 'run',
    config: {
      kubeconfig: null,
      node: 'node1',
      pods: '/var/log/pods',
      state: '/var/log/deis-collector/positions.json',
      logger: { host: '10.0.0.2', port: 1514 },
      platformNamespace: 'platform',
      address: '0.0.0.0',
      adminPort: 8090,
    },
  })
})

test('a logger of its own', () => {
  const env = { ...inPod, DEIS_LOGGER_SERVICE_HOST: '10.0.0.2', DEIS_LOGGER_SERVICE_PORT_SYSLOG: '514' }
  expect(parseConfig([], env, '1')).toMatchObject({ config: { logger: { host: '10.0.0.2', port: 514 } } })
  expect(parseConfig(['--logger', '[::1]:5'], env, '1')).toMatchObject({ config: { logger: { host: '::1', port: 5 } } })
  expect(parseConfig([], { ...env, DEIS_COLLECTOR_LOGGER: 'log:5' }, '1')).toMatchObject({
    config: { logger: { host: 'log', port: 5 } },
  })
})

const faults: [name: string, argv: string[], env: Record<string, string>, want: RegExp][] = [
  ['outside of a pod', ['--logger', 'a:1', '--node', 'n'], {}, /pass --kubeconfig FILE/],
  ['no node', ['--logger', 'a:1', '--kubeconfig', 'k'], {}, /pass --node NAME/],
  ['no logger', [], inPod, /pass --logger HOST:PORT/],
  ['no port', ['--logger', 'a'], inPod, /--logger must be HOST:PORT, not "a" \(/],
  ['no port of the Service', [], { ...inPod, DEIS_LOGGER_SERVICE_HOST: 'a b' }, /are no host and port \(/],
]
for (const [name, argv, env, want] of faults) test(name, () => expect(() => parseConfig(argv, env, '1')).toThrow(want))
