// `/v2/apps/<id>/scale/` and `/v2/apps/<id>/pods/…`.

import { z } from 'zod'
import type { Processes } from '../reconcile/processes.ts'
import type { AppAccess, AppCaller } from './app-access.ts'
import { type Call, noContent, ok, operation, type Resource, resource } from './resource.ts'
import { processShape, showProcess } from './shapes.ts'

const listShape = z.strictObject({ results: z.array(processShape), count: z.int() })

export function processes(access: AppAccess, rules: Processes): readonly Resource[] {
  const list = operation({
    summary: 'Processes of the current release, newest first.',
    answers: { 200: listShape },
    handle: async ({ app }: AppCaller, { params, gone }: Call) => {
      const found = await rules.list(app.id, params.type ?? null, params.name ?? null, gone)
      return ok({ results: found.map(showProcess), count: found.length })
    },
  })
  const restart = operation({
    summary: 'Ends processes and waits for new ones in their place.',
    answers: { 200: z.array(processShape) },
    handle: async ({ app, user }: AppCaller, { params }: Call) => {
      const restarted = await rules.restart(app.id, params.type ?? null, params.name ?? null, user.username)
      return ok(restarted.map(showProcess))
    },
  })
  return [
    resource('/v2/apps/:id/scale', access.user, {
      POST: operation({
        summary: 'Changes how many processes of each type there are, and waits for them.',
        body: z.looseObject({}).meta({ description: 'Process type: number' }),
        answers: { 204: null },
        handle: async ({ app, user }: AppCaller, _call, body) => {
          await rules.scale(app.id, user.username, body)
          return noContent
        },
      }),
    }),
    resource('/v2/apps/:id/pods', access.user, { GET: list }),
    resource('/v2/apps/:id/pods/:type', access.user, { GET: list }),
    resource('/v2/apps/:id/pods/:type/:name', access.user, { GET: list }),
    resource('/v2/apps/:id/pods/restart', access.user, { POST: restart }),
    resource('/v2/apps/:id/pods/:type/restart', access.user, { POST: restart }),
    resource('/v2/apps/:id/pods/:type/:name/restart', access.user, { POST: restart }),
  ]
}
