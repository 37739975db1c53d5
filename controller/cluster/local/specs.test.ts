// Controller contract, section 8: what a release means on this machine.

import { expect, test } from 'vitest'
import { type AppParts, desired } from '#test/support/local-stage.ts'
import { ClusterError } from '../cluster.ts'
import { hashOf, type ProcessSpec } from './process.ts'
import { type SpecOptions, specOf } from './specs.ts'

const options: SpecOptions = {
  directory: '/app',
  root: null,
  environment: {},
  hasProfile: false,
  shell: '/bin/sh',
  path: '/bin',
  language: 'C.UTF-8',
  grace: 30_000,
}

function spec(parts: Partial<AppParts>, type = 'web'): ProcessSpec {
  const app = desired({ image: '/app', procfile: { web: 'web', worker: 'worker' }, ...parts })
  return specOf(app, app.release!, type, options)
}

const accepts = { tcpSocket: { port: 5000 }, periodSeconds: 5, timeoutSeconds: 5 }
const exec = { exec: { command: ['true'] } }
const rows: [name: string, parts: Partial<AppParts>, type: string, wanted: Partial<ProcessSpec>][] = [
  ['a command is for the shell', {}, 'web', { command: ['/bin/sh', '-c', 'web'], directory: '/app' }],
  ['the routed type accepts connections', {}, 'web', { probes: { readinessProbe: accepts } }],
  ['others need not', {}, 'worker', { probes: {} }],
  ['nor does an app that is not routable', { routing: { routable: false } }, 'web', { probes: {} }],
  ['nor one without a port', { port: null }, 'web', { probes: {}, configuredPort: null }],
  ['nor web, when cmd has the processes', { structure: { web: 0, cmd: 1 } }, 'web', { probes: {} }],
  [
    'a liveness probe alone is joined by it',
    { config: { healthcheck: { 'web/cmd': { livenessProbe: exec } } } },
    'web',
    { probes: { livenessProbe: exec, readinessProbe: accepts } },
  ],
  [
    'the type’s own health check comes first',
    { config: { healthcheck: { 'web/cmd': { livenessProbe: exec }, web: { readinessProbe: exec } } } },
    'web',
    { probes: { readinessProbe: exec } },
  ],
  [
    'web/cmd is nothing to a worker',
    { config: { healthcheck: { 'web/cmd': { livenessProbe: exec } } } },
    'worker',
    { probes: {} },
  ],
  ['a memory limit', { config: { memory: { web: '64M/1G' } } }, 'web', { memory: 1024 ** 3 }],
  ['a memory limit of nothing is none', { config: { memory: { web: '0' } } }, 'web', { memory: null }],
  ['of another type', { config: { memory: { worker: '1K' } } }, 'web', { memory: null }],
  [
    'a grace time',
    { config: { values: { KUBERNETES_POD_TERMINATION_GRACE_PERIOD_SECONDS: '5' } } },
    'web',
    { grace: 5_000 },
  ],
  [
    'a grace time that is none',
    { config: { values: { KUBERNETES_POD_TERMINATION_GRACE_PERIOD_SECONDS: 'long' } } },
    'web',
    { grace: 30_000 },
  ],
]
for (const [name, parts, type, wanted] of rows)
  test(name, () => expect(spec(parts, type)).toEqual(expect.objectContaining(wanted)))

const refused: [name: string, parts: Partial<AppParts>, type: string][] = [
  ['not in the Procfile', {}, 'cmd'],
  ['blank', { procfile: { web: ' ' } }, 'web'],
  ['named like what every object has', {}, 'constructor'],
  ['the default command of an image', { build: { sha: '' } }, 'cmd'],
]
for (const [name, parts, type] of refused)
  test(`no command: ${name}`, () => expect(() => spec(parts, type)).toThrow(ClusterError))

const same: [name: string, parts: Partial<AppParts>, isSame: boolean][] = [
  ['the very same', {}, true],
  ['other counts', { structure: { web: 7 } }, true],
  ['not routable any more', { routing: { routable: false } }, true],
  ['the order of its values', { config: { values: { B: '2', A: '1' } } }, true],
  ['another release', { version: 3 }, false],
  ['another value', { config: { values: { A: '1', B: '3' } } }, false],
  ['another command', { procfile: { web: 'other' } }, false],
]
for (const [name, parts, isSame] of same)
  test(`one can stand in for the other: ${name}`, () => {
    const values = { A: '1', B: '2' }
    const hash = hashOf(spec({ config: { values } }))
    expect(hash).toMatch(/^[0-9a-f]{10}$/)
    expect(hashOf(spec({ config: { values }, ...parts })) === hash).toBe(isSame)
  })

test('an image that says where HOME and TMPDIR are does not share them with other runs; the config may', () => {
  const ofImage = { HOME: '/root', TMPDIR: '/var/tmp', COLOUR: 'red' }
  const of = (values: Record<string, string>) => {
    const app = desired({ image: '/app', procfile: { web: 'web' }, config: { values } })
    return specOf(app, app.release!, 'web', { ...options, environment: ofImage }).environment
  }
  const { HOME, TMPDIR, COLOUR } = of({})
  expect([HOME, TMPDIR, COLOUR]).toEqual([undefined, undefined, 'red'])
  expect(of({ HOME: '/data' }).HOME).toBe('/data')
})
