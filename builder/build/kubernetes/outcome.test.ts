// What Pods tell, in words.

import { expect, test } from 'vitest'
import type { Pod } from '#kube/workload-types.ts'
import { outcomeOf, troubleOfJob } from './outcome.ts'

const pod = (status: object, metadata: object = {}): Pod =>
  ({ metadata: { name: 'p', ...metadata }, spec: { containers: [{ name: 'b', image: 'builder:1' }] }, status }) as Pod
const of = (state: object, name = 'b') => [{ name, state }]

const cases: readonly (readonly [name: string, pod: Pod, want: string])[] = [
  ['new', pod({}), 'waiting: null'],
  ['done', pod({ phase: 'Succeeded' }), 'done'],
  [
    'unschedulable',
    pod({ conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/1 nodes' }] }),
    'waiting: No node takes the build yet: 0/1 nodes',
  ],
  [
    'image on its way',
    pod({ containerStatuses: of({ waiting: { reason: 'ImagePullBackOff', message: 'away' } }) }),
    'waiting: The image builder:1 for builds cannot be fetched: away',
  ],
  [
    'image that never comes',
    pod({ containerStatuses: of({ waiting: { reason: 'ErrImageNeverPull' } }) }),
    'lost: The image builder:1 for builds cannot be fetched: ErrImageNeverPull',
  ],
  [
    'a Secret that is not there yet',
    pod({ containerStatuses: of({ waiting: { reason: 'CreateContainerConfigError', message: 'no secret' } }) }),
    'waiting: The build cannot be started: no secret',
  ],
  ['running', pod({ phase: 'Running', containerStatuses: of({ running: {} }) }), 'running'],
  [
    'between two containers',
    pod({
      phase: 'Pending',
      initContainerStatuses: of({ terminated: { exitCode: 0 } }, 'i'),
      containerStatuses: of({ waiting: { reason: 'PodInitializing' } }),
    }),
    'running',
  ],
  [
    'failed (section 4)',
    pod({ phase: 'Failed', containerStatuses: of({ terminated: { exitCode: 1, reason: 'Error' } }) }),
    'failed: Build pod exited with code 1, stopping build.',
  ],
  [
    'failed to fetch',
    pod({
      phase: 'Failed',
      initContainerStatuses: of({ terminated: { exitCode: 2 } }, 'i'),
      containerStatuses: of({ waiting: { reason: 'PodInitializing' } }),
    }),
    'failed: Build pod exited with code 2, stopping build.',
  ],
  [
    'out of memory',
    pod({ phase: 'Failed', containerStatuses: of({ terminated: { exitCode: 137, reason: 'OOMKilled' } }) }),
    'failed: The build took more memory than a build may have, and was ended.',
  ],
  [
    'out of time',
    pod({ phase: 'Failed', reason: 'DeadlineExceeded', containerStatuses: of({ terminated: { exitCode: 143 } }) }),
    'failed: The build took too long, and was ended.',
  ],
  [
    'evicted',
    pod({ phase: 'Failed', reason: 'Evicted', message: 'too much storage' }),
    'failed: The build was ended by its node: too much storage',
  ],
  ['node gone', pod({ phase: 'Failed', reason: 'NodeLost' }), 'lost: The build was ended by the cluster: NodeLost'],
  ['removed', pod({ phase: 'Running' }, { deletionTimestamp: 'now' }), 'lost: The build was removed from the cluster.'],
  [
    'cannot be run',
    pod({
      phase: 'Failed',
      containerStatuses: of({ terminated: { exitCode: 128, reason: 'StartError', message: 'no creator' } }),
    }),
    'lost: The build cannot be started: no creator',
  ],
]
test.each(cases)('%s', (_name, given, want) => {
  const outcome = outcomeOf(given)
  const text =
    outcome.kind === 'failed'
      ? `${outcome.error.kind}: ${outcome.error.message}`
      : outcome.kind === 'waiting'
        ? `waiting: ${outcome.reason}`
        : outcome.kind
  expect(text).toBe(want)
})

test('a Pod that was never made', () => {
  const metadata = { name: 'e' }
  expect(troubleOfJob([])).toBe(null)
  expect(troubleOfJob([{ metadata, type: 'Normal', reason: 'SuccessfulCreate' }])).toBe(null)
  expect(troubleOfJob([{ metadata, type: 'Warning', reason: 'FailedCreate', message: 'exceeded quota' }])).toBe(
    'exceeded quota',
  )
})
