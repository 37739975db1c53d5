import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Probes } from './config.ts'
import { largestDelay, type ProbedType, probesOf } from './probes.ts'

const web: ProbedType = { type: 'web', kind: 'image', routable: true, port: 80 }
const live: Probes = { livenessProbe: { httpGet: { port: 8080 } } }
const ready: Probes = { readinessProbe: { exec: { command: ['true'] } } }
const shared = { timeoutSeconds: 5, periodSeconds: 5, successThreshold: 1, failureThreshold: 1 }
const tcp: Probes = { readinessProbe: { tcpSocket: { port: 80 }, initialDelaySeconds: 5, ...shared } }
const path: Probes = { readinessProbe: { httpGet: { path: '/' } } }

const rows: readonly (readonly [
  name: string,
  healthcheck: Readonly<Record<string, Probes>>,
  probed: Partial<ProbedType>,
  want: Probes,
])[] = [
  ['by default', {}, {}, tcp],
  ['by default for cmd', {}, { type: 'cmd' }, tcp],
  ['by default for a Dockerfile', {}, { kind: 'dockerfile' }, tcp],
  ['none for other types', {}, { type: 'worker' }, {}],
  ['none for apps that are not routable', {}, { routable: false }, {}],
  ['none without port', {}, { port: null }, {}],
  ['those of the type', { web: live }, {}, live],
  ['those of the type, not routable', { worker: live }, { type: 'worker', routable: false }, live],
  ['those of the routed one', { 'web/cmd': live }, {}, live],
  ['those of the routed one for cmd', { 'web/cmd': live }, { type: 'cmd' }, live],
  ['those of the routed one for no other', { 'web/cmd': live }, { type: 'worker' }, {}],
  ['the type goes before the routed one', { web: ready, 'web/cmd': live }, {}, ready],
  ['a type without probes does not', { web: {}, 'web/cmd': live }, {}, live],
  ['when all are removed, the default', { 'web/cmd': {} }, {}, tcp],
  ['a path gets the port', { web: path }, {}, { readinessProbe: { httpGet: { path: '/', port: 80 } } }],
  [
    'a path gets a port in any case',
    { web: path },
    { port: null },
    { readinessProbe: { httpGet: { path: '/', port: 5000 } } },
  ],
  ['a type named as in the prototype', {}, { type: 'constructor' }, {}],
]

describe('section 8, Probes', () => {
  for (const [name, healthcheck, probed, want] of rows)
    test(name, () => expect(probesOf({ healthcheck }, { ...web, ...probed })).toEqual(want))

  test('a slug is ready once its runner has become the app', () => {
    const { readinessProbe } = probesOf({ healthcheck: {} }, { ...web, kind: 'slug' })
    expect(readinessProbe).toMatchObject({ initialDelaySeconds: 30, ...shared })
    const [, flag, script] = readinessProbe!.exec!.command
    const directory = mkdtempSync(join(tmpdir(), 'probe-'))
    const passes = (...words: readonly string[]): boolean => {
      writeFileSync(join(directory, 'cmdline'), `${words.join('\0')}\0`)
      const ofFile = script!.replace('/proc/1/cmdline', join(directory, 'cmdline'))
      return spawnSync('bash', [flag!, ofFile]).status === 0
    }
    expect(passes('bash', '/runner/init', 'start', 'web')).toBe(false)
    expect(passes('npm', 'start')).toBe(true)
    rmSync(directory, { recursive: true })
  })
})

test('section 8: the largest delay', () => {
  expect(largestDelay({})).toBe(0)
  expect(largestDelay({ ...tcp, livenessProbe: { initialDelaySeconds: 7 } })).toBe(7)
})
