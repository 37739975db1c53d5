// `/v2/hooks/…`: what the builder asks and tells (controller contract, section 6). It acts for the user who pushes.

import { z } from 'zod'
import { forbidden, mayUse } from '../domain/access.ts'
import type { App } from '../domain/app.ts'
import { missing, Refusal } from '../domain/refusal.ts'
import type { Key, User } from '../domain/user.ts'
import type { Releases } from '../reconcile/releases.ts'
import type { Store } from '../store/store.ts'
import type { Authentication } from './authentication.ts'
import { buildFields, deployBuild, newBuild } from './builds.ts'
import { textField } from './fields.ts'
import { ok, operation, type Resource, resource } from './resource.ts'
import { configShape, showConfig } from './shapes.ts'

/** More than anybody has; an answer is bounded. */
const everything = { limit: 10_000, offset: 0 } as const

const keysShape = z.record(z.string(), z.array(z.strictObject({ key: z.string(), fingerprint: z.string() })))

const receiveFields = { receive_user: textField(), receive_repo: textField() }

export function hooks(store: Store, authentication: Authentication, releases: Releases): readonly Resource[] {
  const appOf = async (id: string): Promise<App> => {
    const app = await store.apps.find(id)
    if (app?.state !== 'ready') throw missing('App')
    return app
  }

  const pusher = async (body: { readonly receive_user: string; readonly receive_repo: string }) => {
    const app = await appOf(body.receive_repo)
    const user = await store.users.find(body.receive_user)
    if (user === null) throw missing('User')
    if (!(await mayPush(user, app))) throw forbidden()
    return { app, user }
  }

  const mayPush = async (user: User, app: App): Promise<boolean> =>
    user.isActive && mayUse(user, app, await store.grants.has(app.id, user.username), 'POST')

  const keysOf = async (username: string) =>
    (await store.keys.list(username, everything)).results.map((key: Key) => ({
      key: key.public,
      fingerprint: key.fingerprint,
    }))

  return [
    resource(
      '/v2/hooks/key/:fingerprint',
      authentication.builder,
      {
        GET: operation({
          summary: 'Whose key it is, and the apps that he may push to.',
          // Beside what the contract has: `uuids` tells an app from one that had its name before.
          answers: {
            200: z.strictObject({
              username: z.string(),
              apps: z.array(z.string()),
              uuids: z.record(z.string(), z.string()),
            }),
          },
          handle: async (_builder, call) => {
            const key = await store.keys.findByFingerprint(call.params.fingerprint!)
            const user = key === null ? null : await store.users.find(key.owner)
            if (user === null || !user.isActive) throw missing('Key')
            const apps = await store.apps.list(user.isSuperuser ? null : user.username, everything)
            const uuids = Object.fromEntries(apps.results.map(app => [app.id, app.uuid]))
            return ok({ username: user.username, apps: Object.keys(uuids), uuids })
          },
        }),
      },
      'forbidden',
    ),
    resource('/v2/hooks/keys/:id', authentication.builder, {
      GET: operation({
        summary: 'Keys of the collaborators of an app.',
        answers: { 200: keysShape },
        handle: async (_builder, call) => {
          const app = await appOf(call.params.id!)
          const users = await store.grants.users(app.id)
          return ok(Object.fromEntries(await Promise.all(users.map(async user => [user, await keysOf(user)]))))
        },
      }),
    }),
    resource(
      '/v2/hooks/keys/:id/:username',
      authentication.builder,
      {
        GET: operation({
          summary: 'Keys of one user of an app.',
          answers: { 200: keysShape },
          handle: async (_builder, call) => {
            const app = await appOf(call.params.id!)
            const user = await store.users.find(call.params.username!)
            if (user === null) throw missing('User')
            if (!(await mayPush(user, app))) throw forbidden()
            const found = await keysOf(user.username)
            if (found.length === 0) throw new Refusal('unknown', 'No Keys match the given query.')
            return ok({ [user.username]: found })
          },
        }),
      },
      'forbidden',
    ),
    resource('/v2/hooks/config', authentication.builder, {
      POST: operation({
        summary: 'The config that a build is made with.',
        body: z.object(receiveFields),
        answers: { 200: configShape },
        handle: async (_builder, _call, body) => {
          const { app } = await pusher(body)
          const current = await store.releases.current(app.id)
          const row = current === null ? null : await store.configs.find(app.id, current.config)
          if (row === null) throw missing('Config')
          return ok(showConfig(row))
        },
      }),
    }),
    resource('/v2/hooks/build', authentication.builder, {
      POST: operation({
        summary: 'Deploys what was pushed.',
        body: z.object({ ...receiveFields, ...buildFields }),
        answers: { 200: z.strictObject({ release: z.strictObject({ version: z.int() }) }) },
        handle: async (_builder, _call, body) => {
          const { app, user } = await pusher(body)
          const { release } = await deployBuild(releases, app.id, user.username, newBuild(body))
          return ok({ release: { version: release.version } })
        },
      }),
    }),
  ]
}
