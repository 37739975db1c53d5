import { describe, expect, test } from 'vitest'
import type { ContainerState, Pod } from '#kube/workload-types.ts'
import { troubleOfPod } from './trouble.ts'

function pod(state: ContainerState, more: object = {}): Pod {
  return {
    metadata: { name: 'shop-web-a' },
    spec: { containers: [{ name: 'shop-web', image: 'r.example/shop:1' }] },
    status: { phase: 'Pending', containerStatuses: [{ name: 'shop-web', state, ...more }] },
  }
}

const waiting = (reason: string, message?: string): ContainerState => ({
  waiting: { reason, ...(message === undefined ? {} : { message }) },
})
const ended = (exitCode: number, reason: string, message?: string): object => ({
  restartCount: 2,
  lastState: { terminated: { exitCode, reason, ...(message === undefined ? {} : { message }) } },
})

const rows: readonly (readonly [name: string, pod: Pod, passes: string | null, message: string])[] = [
  ['nothing', pod({ running: {} }), null, ''],
  ['being made', pod(waiting('ContainerCreating')), null, ''],
  [
    'no such tag',
    pod(waiting('ErrImagePull', 'failed to resolve reference "r.example/shop:1": not found')),
    'never',
    'image r.example/shop:1 not found',
  ],
  [
    'no such image',
    pod(waiting('ImagePullBackOff', 'pull access denied')),
    'never',
    'image r.example/shop:1 not found',
  ],
  ['not on the node', pod(waiting('ErrImageNeverPull')), 'never', 'image r.example/shop:1 not found'],
  [
    'a network that failed once',
    pod(waiting('ErrImagePull', 'i/o timeout')),
    'late',
    'image r.example/shop:1 cannot be fetched: i/o timeout',
  ],
  [
    'no name of an image',
    pod(waiting('InvalidImageName', "couldn't parse image name")),
    'never',
    "image r.example/shop:1 cannot be fetched: couldn't parse image name",
  ],
  [
    'a variable without its Secret',
    pod(waiting('CreateContainerConfigError', 'secret "x" not found')),
    'soon',
    'the process cannot be started: secret "x" not found',
  ],
  ['a first crash', pod(waiting('CrashLoopBackOff'), { restartCount: 0 }), null, ''],
  ['crashes', pod(waiting('CrashLoopBackOff'), ended(1, 'Error')), 'never', 'the process crashes with exit code 1'],
  [
    'too much memory',
    pod(waiting('CrashLoopBackOff'), ended(137, 'OOMKilled')),
    'never',
    'the process crashes with exit code 137 (OOMKilled)',
  ],
  [
    'no such program',
    pod(waiting('CrashLoopBackOff'), ended(128, 'StartError', 'no such file\n')),
    'never',
    'the process crashes with exit code 128 (StartError): no such file',
  ],
]
describe('why a process does not come up', () => {
  test.for(rows)('%s', ([, given, passes, message]) => {
    const trouble = troubleOfPod(given)
    expect(trouble?.passes ?? null).toBe(passes)
    expect(trouble?.message ?? '').toBe(message)
  })

  test('a Pod that is going has none', () => {
    const going = pod(waiting('ErrImageNeverPull'))
    expect(troubleOfPod({ ...going, metadata: { name: 'a', deletionTimestamp: '2026-03-01T12:00:00Z' } })).toBeNull()
  })

  test('what somebody else wrote is cut', () => {
    const { message } = troubleOfPod(pod(waiting('ImagePullBackOff', 'x'.repeat(100_000)))) ?? { message: '' }
    expect(message.length).toBeLessThan(1100)
  })
})
