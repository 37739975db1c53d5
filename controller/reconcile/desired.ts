// Rows of the store → what the cluster is to run and the router to know. Read inside a transaction it is of one moment.

import type { App, Release } from '../domain/app.ts'
import type { DesiredApp } from '../domain/desired-app.ts'
import { portOf } from '../domain/port.ts'
import type { Repositories } from '../store/store.ts'

/** Domains of one app: the router takes a longer list for a mistake, and serves none of it. */
export const mostDomains = 500

/** `release` null: the app without processes. */
export async function desiredApp(rows: Repositories, app: App, release: Release | null): Promise<DesiredApp> {
  const [settings, tls, domains, certificates] = await Promise.all([
    rows.settings.find(app.id),
    rows.tls.find(app.id),
    rows.domains.list(app.id, { limit: mostDomains, offset: 0 }),
    rows.certificates.ofApp(app.id),
  ])
  return {
    uuid: app.uuid,
    id: app.id,
    structure: app.structure,
    autoscale: settings.autoscale,
    routing: {
      routable: settings.routable,
      maintenance: settings.maintenance,
      httpsEnforced: tls.httpsEnforced,
      whitelist: settings.whitelist,
      domains: domains.results.map(({ domain, certificate }) => ({ domain, certificate })),
      certificates: certificates.map(({ name, chain, key }) => ({ name, chain, key })),
    },
    release: release === null || release.build === null ? null : await desiredRelease(rows, release, release.build),
  }
}

async function desiredRelease(
  rows: Repositories,
  release: Release,
  buildId: string,
): Promise<NonNullable<DesiredApp['release']>> {
  const [build, config] = await Promise.all([
    rows.builds.find(release.app, buildId),
    rows.configs.find(release.app, release.config),
  ])
  if (build === null || config === null)
    throw new Error(`release v${release.version} of ${release.app} has lost its build or config`)
  const { version, summary, created } = release
  return { version, summary, created, build, config, port: portOf(config, build) }
}
