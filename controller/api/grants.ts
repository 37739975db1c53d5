// `/v2/apps/<id>/perms/`: who else may use an app.

import { z } from 'zod'
import { forbidden, mayRevoke } from '../domain/access.ts'
import { missing } from '../domain/refusal.ts'
import type { AppLog } from '../reconcile/app-log.ts'
import type { Store } from '../store/store.ts'
import type { AppAccess, AppCaller } from './app-access.ts'
import { textField } from './fields.ts'
import { created, noContent, ok, operation, type Resource, resource } from './resource.ts'

export function grants(store: Store, access: AppAccess, appLog: AppLog): readonly Resource[] {
  return [
    resource('/v2/apps/:id/perms', access.ownerToPost, {
      GET: operation({
        summary: 'Users that the app is shared with.',
        answers: { 200: z.strictObject({ users: z.array(z.string()) }) },
        handle: async ({ app }: AppCaller) => ok({ users: [...(await store.grants.users(app.id))] }),
      }),
      POST: operation({
        summary: 'Shares the app with a user.',
        body: z.object({ username: textField() }),
        answers: { 201: null },
        handle: async ({ app, user }: AppCaller, _call, { username }) => {
          if ((await store.users.find(username)) === null) throw missing('User')
          await store.grants.add(app.id, username)
          appLog.line(app.id, `User ${username} was granted access to ${app.id}`)
          appLog.audit({ who: user.username, what: 'perms.grant', app: app.id, details: { user: username } })
          return created()
        },
      }),
    }),
    resource('/v2/apps/:id/perms/:username', access.anyMethod, {
      DELETE: operation({
        summary: 'Takes a share back; a collaborator may give up his own.',
        answers: { 204: null },
        handle: async ({ app, user }: AppCaller, call) => {
          const username = call.params.username!
          if (!mayRevoke(user, app, username)) throw forbidden()
          if ((await store.users.find(username)) === null) throw missing('User')
          if (!(await store.grants.remove(app.id, username))) throw forbidden()
          appLog.rightsChanged(app.id)
          appLog.line(app.id, `User ${username} was revoked access to ${app.id}`)
          appLog.audit({ who: user.username, what: 'perms.revoke', app: app.id, details: { user: username } })
          return noContent
        },
      }),
    }),
  ]
}
