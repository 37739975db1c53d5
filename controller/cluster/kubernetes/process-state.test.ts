import { describe, expect, test } from 'vitest'
import type { ContainerState, Pod } from '#kube/workload-types.ts'
import { processesOf, stateOf } from './process-state.ts'

const now = Date.parse('2026-03-01T12:00:00Z')

interface Given {
  readonly phase?: string
  readonly state?: ContainerState
  readonly ready?: boolean
  /** Seconds from now. */
  readonly deletedIn?: number
}

function pod({ phase, state, ready = false, deletedIn }: Given, name = 'shop-web-a', labels: object = {}): Pod {
  const deletionTimestamp = deletedIn === undefined ? undefined : new Date(now + deletedIn * 1000).toISOString()
  return {
    metadata: {
      name,
      labels: { type: 'web', version: 'v3', ...labels },
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    },
    status: {
      ...(phase === undefined ? {} : { phase }),
      startTime: '2026-03-01T11:00:00Z',
      ...(state === undefined ? {} : { containerStatuses: [{ name: 'shop-web', ready, state }] }),
    },
  }
}

const states: readonly (readonly [name: string, given: Given, state: string])[] = [
  ['nothing known', {}, 'initializing'],
  ['pending', { phase: 'Pending' }, 'initializing'],
  ['its container is made', { phase: 'Pending', state: { waiting: { reason: 'ContainerCreating' } } }, 'creating'],
  ['no image', { phase: 'Pending', state: { waiting: { reason: 'ImagePullBackOff' } } }, 'ImagePullBackOff'],
  ['runs', { phase: 'Running', state: { running: {} } }, 'starting'],
  ['is ready', { phase: 'Running', state: { running: {} }, ready: true }, 'up'],
  ['is ready, but going', { phase: 'Running', state: { running: {} }, ready: true, deletedIn: 10 }, 'terminating'],
  ['its container ended', { phase: 'Running', state: { terminated: { exitCode: 1 } } }, 'terminating'],
  ['crashes', { phase: 'Running', state: { waiting: { reason: 'CrashLoopBackOff' } } }, 'error'],
  ['ended well', { phase: 'Succeeded' }, 'down'],
  ['ended badly', { phase: 'Failed' }, 'crashed'],
  ['its node is lost', { phase: 'Unknown' }, 'error'],
]
describe('section 5: states of processes', () => {
  test.for(states)('%s', ([, given, state]) => expect(stateOf(pod(given))).toBe(state))
})

test('section 5: which are listed, and in which order', () => {
  const up = { phase: 'Running', state: { running: {} }, ready: true }
  const older: Pod = { ...pod(up, 'shop-web-old'), status: { ...pod(up).status, startTime: '2026-03-01T10:00:00Z' } }
  const pods = [
    older,
    pod(up, 'shop-web-b'),
    pod(up, 'shop-web-a'),
    pod(up, 'shop-run-x', { type: 'run' }),
    pod({ phase: 'Succeeded' }, 'shop-web-down'),
    pod({ phase: 'Failed' }, 'shop-web-crashed'),
    pod({ ...up, deletedIn: 5 }, 'shop-web-going'),
    pod({ ...up, deletedIn: -5 }, 'shop-web-gone'),
  ]
  const listed = processesOf(pods, now)
  expect(listed.map(({ name }) => name)).toEqual(['shop-web-a', 'shop-web-b', 'shop-web-going', 'shop-web-old'])
  expect(listed[0]).toEqual({
    name: 'shop-web-a',
    type: 'web',
    version: 3,
    state: 'up',
    started: new Date('2026-03-01T11:00:00Z'),
  })
})
