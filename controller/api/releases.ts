// `/v2/apps/<id>/releases/`: what ran and runs, and the way back.

import { z } from 'zod'
import { missing } from '../domain/refusal.ts'
import type { Releases } from '../reconcile/releases.ts'
import type { Store } from '../store/store.ts'
import type { AppAccess, AppCaller } from './app-access.ts'
import { rawField } from './fields.ts'
import { idempotent } from './idempotent.ts'
import { pageAnswer, pageShape } from './page.ts'
import { created, ok, operation, type Resource, resource } from './resource.ts'
import { releaseShape, showRelease } from './shapes.ts'

export function releases(store: Store, access: AppAccess, makes: Releases): readonly Resource[] {
  return [
    resource('/v2/apps/:id/releases', access.user, {
      GET: operation({
        summary: 'Releases, newest first.',
        paged: true,
        answers: { 200: pageShape(releaseShape) },
        handle: ({ app }: AppCaller, call) => pageAnswer(call, page => store.releases.list(app.id, page), showRelease),
      }),
    }),
    resource('/v2/apps/:id/releases/:version', access.user, {
      GET: operation({
        summary: 'One release; its version is written `v2`.',
        answers: { 200: releaseShape },
        handle: async ({ app }: AppCaller, call) => {
          const [, version] = /^v([0-9]{1,9})$/.exec(call.params.version!) ?? []
          const release = version === undefined ? null : await store.releases.find(app.id, Number(version))
          if (release === null) throw missing('Release')
          return ok(showRelease(release))
        },
      }),
    }),
    resource('/v2/apps/:id/releases/rollback', access.user, {
      POST: idempotent(
        store,
        operation({
          summary: 'Deploys build and config of a former release again.',
          body: z.object({ version: rawField('The one before the current one when absent').optional() }),
          answers: { 201: z.strictObject({ version: z.int() }) },
          handle: async ({ app, user }: AppCaller, _call, body) => {
            const release = await makes.rollback(app.id, user.username, body.version)
            return created({ version: release.version })
          },
        }),
      ),
    }),
  ]
}
