// `/v2/certs/`: certificates of a user, and the domains that they are attached to. What is attached is written beside the
// domain's app, where the router reads it.

import { z } from 'zod'
import { forbidden, mayUse } from '../domain/access.ts'
import type { AppId } from '../domain/app.ts'
import { certificateTaken, parseCertificateName, parseCertificateText } from '../domain/certificate-text.ts'
import { domainOf } from '../domain/hostname.ts'
import { invalid, missing, Refusal } from '../domain/refusal.ts'
import type { Certificate, User } from '../domain/user.ts'
import type { AppLog } from '../reconcile/app-log.ts'
import type { Routing } from '../reconcile/routing.ts'
import { type Store, TakenError } from '../store/store.ts'
import type { Authentication } from './authentication.ts'
import { rawField, readFields, textField } from './fields.ts'
import { pageAnswer, pageShape } from './page.ts'
import { type Call, type Caller, created, noContent, ok, operation, type Resource, resource } from './resource.ts'
import { certificateShape, showCertificate } from './shapes.ts'

export function certificates(
  store: Store,
  authentication: Authentication,
  routing: Routing,
  appLog: AppLog,
): readonly Resource[] {
  const own = async (user: User, call: Call): Promise<Certificate> => {
    const certificate = await store.certificates.find(user.username, call.params.name!)
    if (certificate === null) throw missing('Certificate')
    return certificate
  }

  /** The app of a domain, of which the caller has the rights. */
  const appOf = async (user: User, domain: string, method: string): Promise<AppId> => {
    const row = await store.domains.find(domainOf(domain) ?? domain)
    const app = row === null ? null : await store.apps.find(row.app)
    if (app === null) throw missing('Domain')
    const granted = await store.grants.has(app.id, user.username)
    if (!mayUse(user, app, granted, method)) throw forbidden()
    return app.id
  }

  const attach = operation({
    summary: 'Attaches the certificate to a domain.',
    body: z.object({ domain: textField().optional() }),
    answers: { 201: null },
    handle: async ({ user }: Caller, call, body) => {
      const certificate = await own(user, call)
      const domain = call.params.domain ?? body.domain
      if (domain === undefined) throw new Refusal('illogical', 'domain is a required field')
      const app = await appOf(user, domain, 'POST')
      const name = await routing.change(app, async rows => {
        const row = await rows.domains.find(domainOf(domain) ?? domain)
        if (row?.app !== app) throw missing('Domain')
        if (row.certificate !== null) throw new Refusal('conflict', 'Domain already has a certificate attached to it')
        await rows.domains.attach(row.domain, certificate.name)
        return row.domain
      })
      appLog.line(app, `certificate ${certificate.name} attached to ${domain}`)
      appLog.audit({ who: user.username, what: 'cert.attach', app, details: { certificate: certificate.name, domain } })
      if (name.includes('.')) return created()
      // For clients that do not show what an answer says beside its body.
      appLog.line(app, ofThePlatform(name), 'WARNING')
      return created(undefined, ofThePlatform(name))
    },
  })

  const detach = operation({
    summary: 'Takes the certificate of a domain off it.',
    answers: { 204: null },
    handle: async ({ user }: Caller, call) => {
      const certificate = await own(user, call)
      const domain = call.params.domain!
      // What a collaborator may attach he may also take off.
      const app = await appOf(user, domain, 'POST')
      await routing.change(app, async rows => {
        const row = await rows.domains.find(domainOf(domain) ?? domain)
        if (row?.app !== app) throw missing('Domain')
        await rows.domains.attach(row.domain, null)
      })
      appLog.line(app, `certificate detached from ${domain}`)
      appLog.audit({ who: user.username, what: 'cert.detach', app, details: { certificate: certificate.name, domain } })
      return noContent
    },
  })

  /** From each app in turn; what could not be told stays attached, and the certificate too. */
  const remove = async (certificate: Certificate): Promise<void> => {
    for (const domain of certificate.domains) {
      const row = await store.domains.find(domain)
      if (row?.certificate !== certificate.name) continue
      await routing.change(row.app, rows => rows.domains.attach(domain, null))
    }
    await store.certificates.delete(certificate.name)
  }

  return [
    resource('/v2/certs', authentication.anyUser, {
      GET: operation({
        summary: "The caller's certificates.",
        paged: true,
        answers: { 200: pageShape(certificateShape) },
        handle: ({ user }: Caller, call) =>
          pageAnswer(call, page => store.certificates.list(user.username, page), showCertificate),
      }),
      POST: operation({
        summary: 'Adds a certificate with its key.',
        body: z.object({
          name: rawField('a-z, 0-9 and hyphens').optional(),
          certificate: rawField('PEM, with what it was signed by').optional(),
          key: rawField('PEM').optional(),
        }),
        answers: { 201: certificateShape },
        handle: async ({ user }: Caller, _call, body) => {
          const { name, certificate } = readFields({
            name: () => parseCertificateName(body.name),
            certificate: () => parseCertificateText(body.certificate, body.key),
          })
          try {
            const row = await store.certificates.create({ owner: user.username, name, ...certificate })
            const { fingerprint } = row
            appLog.audit({ who: user.username, what: 'cert.add', details: { certificate: name, fingerprint } })
            return created(showCertificate(row))
          } catch (error) {
            if (error instanceof TakenError) throw invalid('name', certificateTaken)
            throw error
          }
        },
      }),
    }),
    resource('/v2/certs/:name', authentication.anyUser, {
      GET: operation({
        summary: 'One certificate, without its key.',
        answers: { 200: certificateShape },
        handle: async ({ user }: Caller, call) => ok(showCertificate(await own(user, call))),
      }),
      DELETE: operation({
        summary: 'Removes a certificate, and takes it off its domains.',
        answers: { 204: null },
        handle: async ({ user }: Caller, call) => {
          const certificate = await own(user, call)
          await remove(certificate)
          appLog.audit({ who: user.username, what: 'cert.remove', details: { certificate: certificate.name } })
          return noContent
        },
      }),
    }),
    resource('/v2/certs/:name/domain', authentication.anyUser, { POST: attach }),
    resource('/v2/certs/:name/domain/:domain', authentication.anyUser, { POST: attach, DELETE: detach }, 'forbidden'),
  ]
}

/** Routers show the platform's certificate for names below its domain (router annotations contract), which dotless ones are. */
function ofThePlatform(domain: string): string {
  return (
    `the certificate is kept but not in force: ${domain} is a name of the platform, which has a certificate of its own; ` +
    'attach it to the whole name, after deis domains:add'
  )
}
