// The API's root and the probes: `/v2/`, `/healthz`, `/readiness`.

import { z } from 'zod'
import { Refusal } from '../domain/refusal.ts'
import type { Store } from '../store/store.ts'
import type { Authentication } from './authentication.ts'
import { ok, operation, type Resource, resource, text } from './resource.ts'

export interface HealthOptions {
  readonly store: Store
  readonly authentication: Authentication
  /** Null: it may be sent requests; else why not. */
  readonly notReady: () => string | null
}

export function health({ store, authentication, notReady }: HealthOptions): readonly Resource[] {
  return [
    resource('/v2', authentication.anyUser, {
      GET: operation({
        summary: 'Nothing: clients look for the version in the headers.',
        answers: { 200: z.strictObject({}) },
        handle: async () => ok({}),
      }),
    }),
    resource('/healthz', authentication.anyone, {
      GET: operation({
        summary: 'Whether the process answers.',
        answers: { 200: 'text/plain' },
        handle: async () => text('OK'),
      }),
    }),
    resource('/readiness', authentication.anyone, {
      GET: operation({
        summary: 'Whether it can do its work: it is not ending, and the database answers.',
        answers: { 200: 'text/plain', 503: 'text/plain' },
        handle: async () => {
          const reason = notReady()
          if (reason !== null) throw new Refusal('unavailable', reason)
          await store.ping().catch(error => {
            throw new Refusal('unavailable', 'the database does not answer', { cause: error })
          })
          return text('OK')
        },
      }),
    }),
  ]
}
