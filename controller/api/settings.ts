// `/v2/apps/<id>/settings/`, `…/whitelist/` and `…/tls/`: what the router does for an app.

import { z } from 'zod'
import type { App, AppSettings } from '../domain/app.ts'
import { changeTls, mergeSettings, type SettingsFields } from '../domain/settings-change.ts'
import { addAddresses, parseAddresses, removeAddresses } from '../domain/whitelist.ts'
import type { AppLog } from '../reconcile/app-log.ts'
import { illogicalIfUnavailable, type Routing } from '../reconcile/routing.ts'
import type { Store } from '../store/store.ts'
import type { AppAccess, AppCaller } from './app-access.ts'
import { rawField } from './fields.ts'
import { created, noContent, ok, operation, type Resource, resource } from './resource.ts'
import { settingsShape, showSettings, showTls, tlsShape } from './shapes.ts'

const whitelistShape = z.strictObject({ addresses: z.array(z.string()) })

/** The rules are kept, and in force where a cluster has somebody who follows them. */
const noAutoscaling =
  'autoscale is kept but not in force: on one machine processes are scaled by hand, autoscaling is for Kubernetes'

export interface SettingsOptions {
  readonly store: Store
  readonly access: AppAccess
  readonly routing: Routing
  readonly appLog: AppLog
  /** Whether the cluster does what `autoscale` says. */
  readonly autoscales: boolean
}

export function settings({ store, access, routing, appLog, autoscales }: SettingsOptions): readonly Resource[] {
  const change = async (
    { app, user }: AppCaller,
    make: (before: AppSettings) => SettingsFields,
  ): Promise<AppSettings> => {
    const row = await illogicalIfUnavailable(
      routing.change(app.id, async rows => {
        const before = await rows.settings.find(app.id)
        const { maintenance, routable, whitelist, autoscale, label } = make(before)
        return rows.settings.put({
          ...{ app: app.id, owner: user.username, maintenance, routable, whitelist, autoscale, label },
        })
      }),
    )
    appLog.line(app.id, `appsettings ${app.id}-${row.uuid.slice(0, 7)} updated`)
    return row
  }
  const audit = (what: string, { user, app }: { user: AppCaller['user']; app: App }, keys: readonly string[]): void =>
    appLog.audit({ who: user.username, what, app: app.id, details: { keys } })

  return [
    resource('/v2/apps/:id/settings', access.user, {
      GET: operation({
        summary: 'The settings of an app.',
        answers: { 200: settingsShape },
        handle: async ({ app }: AppCaller) => ok(showSettings(await store.settings.find(app.id))),
      }),
      POST: operation({
        summary: 'Changes settings; what is absent stays.',
        body: z.object({
          maintenance: rawField('Answer 503 for the app').optional(),
          routable: rawField('Send requests to the app').optional(),
          autoscale: rawField('By process type: {min, max, cpu_percent}; null removes').optional(),
          label: rawField('Texts; null removes').optional(),
          whitelist: rawField('Addresses and networks').optional(),
        }),
        answers: { 201: settingsShape },
        handle: async (caller: AppCaller, _call, body) => {
          const row = await change(caller, before => mergeSettings(before, body, caller.user.username).settings)
          audit('settings.change', caller, Object.keys(body))
          if (autoscales || body.autoscale === undefined || Object.keys(row.autoscale).length === 0)
            return created(showSettings(row))
          // For clients that do not show what an answer says beside its body.
          appLog.line(row.app, noAutoscaling)
          return created(showSettings(row), noAutoscaling)
        },
      }),
    }),
    resource('/v2/apps/:id/whitelist', access.user, {
      GET: operation({
        summary: 'Who may reach the app; empty: everybody.',
        answers: { 200: whitelistShape },
        handle: async ({ app }: AppCaller) => ok({ addresses: [...(await store.settings.find(app.id)).whitelist] }),
      }),
      POST: operation({
        summary: 'Adds addresses.',
        body: z.object({ addresses: rawField('Addresses and networks').optional() }),
        answers: { 201: whitelistShape },
        handle: async (caller: AppCaller, _call, body) => {
          const addresses = parseAddresses(body.addresses)
          const row = await change(caller, before => ({
            ...before,
            whitelist: addAddresses(before.whitelist, addresses, caller.user.username),
          }))
          audit('whitelist.add', caller, addresses)
          return created({ addresses: [...row.whitelist] })
        },
      }),
      DELETE: operation({
        summary: 'Removes addresses.',
        body: z.object({ addresses: rawField('Addresses and networks').optional() }),
        answers: { 204: null },
        handle: async (caller: AppCaller, _call, body) => {
          const addresses = parseAddresses(body.addresses)
          await change(caller, before => ({
            ...before,
            whitelist: removeAddresses(before.whitelist, addresses, caller.user.username),
          }))
          audit('whitelist.remove', caller, addresses)
          return noContent
        },
      }),
    }),
    resource('/v2/apps/:id/tls', access.user, {
      GET: operation({
        summary: 'Whether plain HTTP is redirected; null: never set.',
        answers: { 200: tlsShape },
        handle: async ({ app }: AppCaller) => ok(showTls(await store.tls.find(app.id))),
      }),
      POST: operation({
        summary: 'Redirects plain HTTP to HTTPS, or no longer.',
        body: z.object({ https_enforced: rawField('true or false').optional() }),
        answers: { 201: tlsShape },
        handle: async ({ app, user }: AppCaller, _call, body) => {
          const row = await routing.change(app.id, async rows => {
            const before = await rows.tls.find(app.id)
            const httpsEnforced = changeTls(before, body, user.username)
            return rows.tls.put({ app: app.id, owner: user.username, httpsEnforced })
          })
          appLog.line(app.id, `tls ${app.id}-${row.uuid.slice(0, 7)} updated`)
          appLog.audit({
            who: user.username,
            what: 'tls.change',
            app: app.id,
            details: { enforced: row.httpsEnforced },
          })
          return created(showTls(row))
        },
      }),
    }),
  ]
}
