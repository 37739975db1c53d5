// `/v2/keys/`: the public SSH keys that a user pushes with.

import { z } from 'zod'
import { invalid, missing } from '../domain/refusal.ts'
import { keyIdTaken, parseKeyId, parsePublicKey, publicKeyTaken } from '../domain/ssh-key.ts'
import type { AppLog } from '../reconcile/app-log.ts'
import { type Store, TakenError } from '../store/store.ts'
import type { Authentication } from './authentication.ts'
import { rawField, readFields } from './fields.ts'
import { pageAnswer, pageShape } from './page.ts'
import { type Caller, created, noContent, ok, operation, type Resource, resource } from './resource.ts'
import { keyShape, showKey } from './shapes.ts'

export function keys(store: Store, authentication: Authentication, appLog: AppLog): readonly Resource[] {
  return [
    resource('/v2/keys', authentication.anyUser, {
      GET: operation({
        summary: "The caller's keys.",
        paged: true,
        answers: { 200: pageShape(keyShape) },
        handle: ({ user }: Caller, call) => pageAnswer(call, page => store.keys.list(user.username, page), showKey),
      }),
      POST: operation({
        summary: 'Adds a key.',
        body: z.object({
          id: rawField('Name of the key, unique on the platform').optional(),
          public: rawField('One line, as in authorized_keys').optional(),
        }),
        answers: { 201: keyShape },
        handle: async ({ user }: Caller, _call, body) => {
          const { id, line } = readFields({ id: () => parseKeyId(body.id), line: () => parsePublicKey(body.public) })
          const key = { id, ...line }
          try {
            const row = await store.keys.create({ owner: user.username, ...key })
            appLog.audit({
              who: user.username,
              what: 'key.add',
              details: { key: key.id, fingerprint: key.fingerprint },
            })
            return created(showKey(row))
          } catch (error) {
            if (!(error instanceof TakenError)) throw error
            throw error.column === 'keys.id' ? invalid('id', keyIdTaken) : invalid('public', publicKeyTaken)
          }
        },
      }),
    }),
    resource(
      '/v2/keys/:key',
      authentication.anyUser,
      {
        GET: operation({
          summary: 'One key.',
          answers: { 200: keyShape },
          handle: async ({ user }: Caller, call) => {
            const key = await store.keys.find(user.username, call.params.key!)
            if (key === null) throw missing('Key')
            return ok(showKey(key))
          },
        }),
        DELETE: operation({
          summary: 'Removes a key.',
          answers: { 204: null },
          handle: async ({ user }: Caller, call) => {
            const key = await store.keys.find(user.username, call.params.key!)
            if (key === null) throw missing('Key')
            await store.keys.delete(key.id)
            appLog.audit({ who: user.username, what: 'key.remove', details: { key: key.id } })
            return noContent
          },
        }),
      },
      'forbidden',
    ),
  ]
}
