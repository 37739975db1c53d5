// `/v2/apps/<id>/config/`: environment, limits, tags, registry and health checks of the next release.

import { z } from 'zod'
import { configMapNames } from '../domain/config-diff.ts'
import { logDrainKey } from '../domain/log-drain.ts'
import { missing } from '../domain/refusal.ts'
import type { LogDrains } from '../reconcile/log-drains.ts'
import type { Releases } from '../reconcile/releases.ts'
import type { Store } from '../store/store.ts'
import type { AppAccess, AppCaller } from './app-access.ts'
import { rawField } from './fields.ts'
import { idempotent } from './idempotent.ts'
import { created, ok, operation, type Resource, resource } from './resource.ts'
import { configShape, showConfig } from './shapes.ts'

const mapField = rawField('Merged key by key; null removes; an object, or the JSON text of one').optional()

/** Milliseconds that an answer waits for what the logger says of a log drain. */
const drainPatience = 2_000

export function config(store: Store, access: AppAccess, releases: Releases, logDrains: LogDrains): readonly Resource[] {
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
          handle: async ({ app, user }: AppCaller, _call, body) => {
            const row = await releases.config(app.id, user.username, body)
            const fault = namesDrain(body.values) ? await logDrains.faultOf(app.id, drainPatience) : null
            return created(showConfig(row), fault === null ? undefined : drainWarning(fault))
          },
        }),
      ),
    }),
  ]
}

/** Whether the change is about the log drain; the values are an object, or the text of one. */
function namesDrain(values: unknown): boolean {
  if (typeof values === 'string') return values.includes(logDrainKey)
  return typeof values === 'object' && values !== null && Object.hasOwn(values, logDrainKey)
}

/** The reason is what others have said, in any characters. */
function drainWarning(reason: string): string {
  return `${logDrainKey} is kept but not in force: ${reason.replace(/[^ !#-[\]-~]/g, '?')}`
}
