// `Idempotency-Key` on requests that deploy: who lost the answer asks again and gets it, without a second deploy. Keys
// are of one user and kept for a day. The answer to a request that was cut off by a crash is lost with it, and its key
// may be used again.

import { createHash } from 'node:crypto'
import { Refusal } from '../domain/refusal.ts'
import type { User } from '../domain/user.ts'
import type { Store } from '../store/store.ts'
import { answerOf } from './errors.ts'
import type { Answer, Call, Operation } from './resource.ts'

const maxKey = 255

export function idempotent<C extends { readonly user: User }>(store: Store, operation: Operation<C>): Operation<C> {
  return {
    ...operation,
    answers: { 409: null, 422: null, ...operation.answers },
    handle: async (context, call, body) => {
      const { idempotencyKey: key } = call
      if (key === null) return operation.handle(context, call, body)
      if (key === '' || key.length > maxKey)
        throw new Refusal('illogical', `Idempotency-Key must have 1 to ${maxKey} characters`)
      const { username } = context.user
      const request = digest(call, body)
      const claim = await store.idempotency.claim(username, key, request)
      if (claim.kind === 'kept') return kept(claim.request, claim.answer, request)
      return answered(store, username, key, () => operation.handle(context, call, body))
    },
  }
}

function kept(
  request: string,
  answer: { readonly status: number; readonly body: string } | null,
  asked: string,
): Answer {
  if (request !== asked) throw new Refusal('absent', 'Idempotency-Key was used for another request')
  if (answer === null) throw new Refusal('conflict', 'The first request with this Idempotency-Key is still under way')
  return { kind: 'json', status: answer.status, body: answer.body === '' ? undefined : JSON.parse(answer.body) }
}

async function answered(store: Store, user: string, key: string, work: () => Promise<Answer>): Promise<Answer> {
  try {
    const answer = await work()
    if (answer.kind !== 'json') throw new Error('only JSON answers are kept')
    await store.idempotency.answer(
      user,
      key,
      answer.status,
      answer.body === undefined ? '' : JSON.stringify(answer.body),
    )
    return answer
  } catch (error) {
    const { status, body } = answerOf(error)
    // What may go better the next time is not kept.
    if (status >= 500) await store.idempotency.release(user, key)
    else await store.idempotency.answer(user, key, status, JSON.stringify(body))
    throw error
  }
}

function digest(call: Call, body: unknown): string {
  return createHash('sha256')
    .update(textOf([call.method, call.url.pathname, body ?? null]))
    .digest('hex')
}

function textOf(value: unknown): string {
  try {
    return JSON.stringify(value)
  } catch {
    // What is parsed without recursion is written with it.
    throw new Refusal('illogical', 'The body is nested too deeply')
  }
}
