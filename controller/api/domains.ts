// `/v2/apps/<id>/domains/`: the names that an app answers to.

import { z } from 'zod'
import { domainInUse, domainOf, parseDomain } from '../domain/hostname.ts'
import { isPlatformName, isPlatformNameOfOthers, platformNameTaken } from '../domain/platform-name.ts'
import { missing, Refusal } from '../domain/refusal.ts'
import { overlapsOthers } from '../domain/wildcard.ts'
import type { AppLog } from '../reconcile/app-log.ts'
import { mostDomains } from '../reconcile/desired.ts'
import type { Routing } from '../reconcile/routing.ts'
import { type Store, TakenError } from '../store/store.ts'
import type { AppAccess, AppCaller } from './app-access.ts'
import { rawField } from './fields.ts'
import { pageAnswer, pageShape } from './page.ts'
import { created, noContent, operation, type Resource, resource } from './resource.ts'
import { domainShape, showDomain } from './shapes.ts'

/** `platformDomain` null: not known. */
export function domains(
  store: Store,
  access: AppAccess,
  routing: Routing,
  appLog: AppLog,
  platformDomain: string | null,
): readonly Resource[] {
  return [
    resource('/v2/apps/:id/domains', access.user, {
      GET: operation({
        summary: 'Domains, by name.',
        paged: true,
        answers: { 200: pageShape(domainShape) },
        handle: ({ app }: AppCaller, call) => pageAnswer(call, page => store.domains.list(app.id, page), showDomain),
      }),
      POST: operation({
        summary: 'Adds a domain.',
        body: z.object({ domain: rawField('A host name, or one whose first label is *').optional() }),
        answers: { 201: domainShape },
        handle: async ({ app, user }: AppCaller, _call, body) => {
          const domain = parseDomain(body.domain)
          if (!user.isSuperuser && isPlatformNameOfOthers(domain, app.id, platformDomain))
            throw platformNameTaken(domain)
          // Those of the platform have their own rule, and administrators may do anything.
          const goesByName = user.isSuperuser || isPlatformName(domain, platformDomain)
          try {
            const row = await routing.change(app.id, async rows => {
              const { count } = await rows.domains.list(app.id, { limit: 1, offset: 0 })
              if (!goesByName && (await rows.domains.overlapsOthers(domain, user.username)))
                throw overlapsOthers(domain)
              if (count >= mostDomains) throw new Refusal('illogical', `An app has at most ${mostDomains} domains`)
              return rows.domains.create({ app: app.id, owner: user.username, domain })
            })
            appLog.line(app.id, `domain ${domain} added`)
            appLog.audit({ who: user.username, what: 'domain.add', app: app.id, details: { domain } })
            return created(showDomain(row))
          } catch (error) {
            if (!(error instanceof TakenError)) throw error
            const other = await store.domains.find(domain)
            throw domainInUse(String(body.domain), other?.domain ?? domain)
          }
        },
      }),
    }),
    resource('/v2/apps/:id/domains/:domain', access.user, {
      DELETE: operation({
        summary: 'Removes a domain.',
        answers: { 204: null },
        handle: async ({ app, user }: AppCaller, call) => {
          const asked = domainOf(call.params.domain!) ?? ''
          const removed = await routing.change(app.id, async rows => {
            const row = await rows.domains.find(asked)
            if (row?.app !== app.id) throw missing('Domain')
            await rows.domains.delete(row.domain)
            return row.domain
          })
          appLog.line(app.id, `domain ${removed} removed`)
          appLog.audit({ who: user.username, what: 'domain.remove', app: app.id, details: { domain: removed } })
          return noContent
        },
      }),
    }),
  ]
}
