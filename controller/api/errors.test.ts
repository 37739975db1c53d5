// What is answered when something is not done. The device is the system's own: it takes nothing, as a full disk does.

import { writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ClusterError } from '../cluster/cluster.ts'
import { illogicalIfUnavailable } from '../reconcile/routing.ts'
import { answerOf } from './errors.ts'

function errorOf(work: () => void): Error {
  try {
    work()
  } catch (error) {
    return error as Error
  }
  throw new Error('it should have failed')
}

const untold = (cause: Error) =>
  new ClusterError('unreachable', `the router cannot be told: ${cause.message}`, { cause })

// It was 503, or 400, and the sentence about the disk was only where the database had run into it first.
test.skipIf(process.platform !== 'linux')('a disk that is too full for the cluster is 507', async () => {
  const error = untold(errorOf(() => writeFileSync('/dev/full', 'x')))
  const full = { status: 507, body: { detail: expect.stringContaining('The disk of the platform is full') } }
  expect(answerOf(error)).toMatchObject(full)
  const settings = await illogicalIfUnavailable(Promise.reject(error)).catch(answerOf)
  expect(settings).toMatchObject(full)
})

test('whatever else keeps the cluster from it is 503, and 400 for settings', async () => {
  const error = untold(errorOf(() => writeFileSync('/', 'x')))
  expect(answerOf(error)).toMatchObject({ status: 503, body: { detail: error.message } })
  expect(await illogicalIfUnavailable(Promise.reject(error)).catch(answerOf)).toMatchObject({ status: 400 })
  // The disk of a node is not the platform's.
  const pod = new ClusterError('failed', 'web cannot pull its image: No space left on device')
  expect(answerOf(pod)).toMatchObject({ status: 503, body: { detail: pod.message } })
})
