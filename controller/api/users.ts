// `/v2/users/` and `/v2/admin/perms/`: all users, and who of them are administrators. For administrators only.

import { z } from 'zod'
import { missing } from '../domain/refusal.ts'
import type { AppLog } from '../reconcile/app-log.ts'
import type { Store } from '../store/store.ts'
import type { Authentication } from './authentication.ts'
import { textField } from './fields.ts'
import { pageAnswer, pageShape } from './page.ts'
import { type Caller, created, noContent, operation, type Resource, resource } from './resource.ts'
import { showUser, userShape } from './shapes.ts'

const adminShape = z.strictObject({ username: z.string(), is_superuser: z.boolean() })

export function users(store: Store, authentication: Authentication, appLog: AppLog): readonly Resource[] {
  const setSuperuser = async (who: string, username: string, value: boolean): Promise<void> => {
    if ((await store.users.find(username)) === null) throw missing('User')
    await store.users.setSuperuser(username, value)
    appLog.audit({ who, what: value ? 'admin.grant' : 'admin.revoke', details: { user: username } })
  }
  return [
    resource('/v2/users', authentication.anySuperuser, {
      GET: operation({
        summary: 'All users.',
        paged: true,
        answers: { 200: pageShape(userShape) },
        handle: (_caller: Caller, call) => pageAnswer(call, page => store.users.list(page), showUser),
      }),
    }),
    resource('/v2/admin/perms', authentication.anySuperuser, {
      GET: operation({
        summary: 'All administrators.',
        paged: true,
        answers: { 200: pageShape(adminShape) },
        handle: (_caller: Caller, call) =>
          pageAnswer(
            call,
            page => store.users.superusers(page),
            ({ username, isSuperuser }) => ({ username, is_superuser: isSuperuser }),
          ),
      }),
      POST: operation({
        summary: 'Makes a user an administrator.',
        body: z.object({ username: textField() }),
        answers: { 201: null },
        handle: async ({ user }: Caller, _call, { username }) => {
          await setSuperuser(user.username, username, true)
          return created()
        },
      }),
    }),
    resource('/v2/admin/perms/:username', authentication.anySuperuser, {
      DELETE: operation({
        summary: 'Makes an administrator a plain user.',
        answers: { 204: null },
        handle: async ({ user }: Caller, call) => {
          await setSuperuser(user.username, call.params.username!, false)
          return noContent
        },
      }),
    }),
  ]
}
