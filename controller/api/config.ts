// `/v2/apps/<id>/config/`: environment, limits, tags, registry and health checks of the next release.

import { z } from 'zod'
import { configMapNames } from '../domain/config-diff.ts'
import { missing } from '../domain/refusal.ts'
import type { Releases } from '../reconcile/releases.ts'
import type { Store } from '../store/store.ts'
import type { AppAccess, AppCaller } from './app-access.ts'
import { rawField } from './fields.ts'
import { idempotent } from './idempotent.ts'
import { created, ok, operation, type Resource, resource } from './resource.ts'
import { configShape, showConfig } from './shapes.ts'

const mapField = rawField('Merged key by key; null removes; an object, or the JSON text of one').optional()

export function config(store: Store, access: AppAccess, releases: Releases): readonly Resource[] {
  return [
    resource('/v2/apps/:id/config', access.user, {
      GET: operation({
        summary: 'The current config.',
        answers: { 200: configShape },
        handle: async ({ app }: AppCaller) => {
          const current = await store.releases.current(app.id)
          const row = current === null ? null : await store.configs.find(app.id, current.config)
          if (row === null) throw missing('Config')
          return ok(showConfig(row))
        },
      }),
      POST: idempotent(
        store,
        operation({
          summary: 'Changes the config, and deploys it when there is a build.',
          body: z.object(Object.fromEntries(configMapNames.map(name => [name, mapField]))),
          answers: { 201: configShape },
          handle: async ({ app, user }: AppCaller, _call, body) =>
            created(showConfig(await releases.config(app.id, user.username, body))),
        }),
      ),
    }),
  ]
}
