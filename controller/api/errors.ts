// What is answered when something is not done: each kind of Refusal has its status and body (controller contract,
// section 1). Whatever is no Refusal is a fault of ours, and its words stay in the log.

import { isDiskFull } from '#kit/full-disk.ts'
import { ClusterError } from '../cluster/cluster.ts'
import { noRoom, Refusal, type RefusalKind } from '../domain/refusal.ts'

export interface ErrorAnswer {
  readonly status: number
  readonly body: unknown
  readonly headers: Readonly<Record<string, string>>
}

const statusOf = {
  invalid: 400,
  illogical: 400,
  unauthenticated: 401,
  forbidden: 403,
  missing: 404,
  unknown: 404,
  'not-allowed': 405,
  conflict: 409,
  'too-large': 413,
  'unsupported-media': 415,
  absent: 422,
  'too-many': 429,
  unavailable: 503,
  full: 507,
} as const satisfies Record<RefusalKind, number>

export function answerOf(error: unknown): ErrorAnswer {
  // What an app's own node says, in words of its own, is not it: the cause is.
  if (error instanceof ClusterError && isDiskFull(error.cause)) return answerOf(noRoom(error))
  if (error instanceof ClusterError)
    return error.kind === 'taken'
      ? { status: 409, body: { detail: error.message }, headers: {} }
      : { status: 503, body: { detail: error.message }, headers: {} }
  // Something else than the database wanted to write.
  if (!(error instanceof Refusal) && isDiskFull(error)) return answerOf(noRoom(error))
  if (!(error instanceof Refusal)) return { status: 500, body: { detail: 'Server Error' }, headers: {} }
  const status = statusOf[error.kind]
  return {
    status,
    // An object that is not there is answered with a JSON string, which clients print as it comes.
    body: error.kind === 'missing' ? error.message : (error.fields ?? { detail: error.message }),
    headers: {
      ...(error.kind === 'unauthenticated' ? { 'www-authenticate': 'Token' } : {}),
      ...(error.retryAfter === null ? {} : { 'retry-after': String(Math.ceil(error.retryAfter)) }),
    },
  }
}
