// What the API shows of each thing (controller contract, section 4): exactly these fields. The schemas are the
// document's, and in tests every answer is checked against them.

import { z } from 'zod'
import type { Process } from '../cluster/cluster.ts'
import type { App, AppSettings, Build, Domain, Release, Tls } from '../domain/app.ts'
import type { Config } from '../domain/config.ts'
import type { Certificate, Key, User } from '../domain/user.ts'

const string = z.string()
const instant = z.iso.datetime()
const texts = z.record(string, string)
const dates = { created: instant, updated: instant } as const

/** UTC, without fraction. */
export function instantText(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`
}

function datesOf(row: { readonly created: Date; readonly updated: Date }) {
  return { created: instantText(row.created), updated: instantText(row.updated) }
}

export const userShape = z.strictObject({
  email: string,
  username: string,
  first_name: string,
  last_name: string,
  is_superuser: z.boolean(),
  is_staff: z.boolean(),
  groups: z.array(z.never()),
  user_permissions: z.array(z.never()),
  last_login: instant.nullable(),
  date_joined: instant,
  is_active: z.boolean(),
})

export function showUser(user: User): z.output<typeof userShape> {
  return {
    email: user.email,
    username: user.username,
    first_name: user.firstName,
    last_name: user.lastName,
    is_superuser: user.isSuperuser,
    is_staff: user.isSuperuser,
    groups: [],
    user_permissions: [],
    last_login: user.lastLogin === null ? null : instantText(user.lastLogin),
    date_joined: instantText(user.joined),
    is_active: user.isActive,
  }
}

export const appShape = z.strictObject({
  uuid: string,
  id: string,
  owner: string,
  structure: z.record(string, z.int()),
  ...dates,
})

export function showApp(app: App): z.output<typeof appShape> {
  return { uuid: app.uuid, id: app.id, owner: app.owner, structure: { ...app.structure }, ...datesOf(app) }
}

export const buildShape = z.strictObject({
  owner: string,
  app: string,
  image: string,
  sha: string,
  procfile: texts,
  dockerfile: string,
  uuid: string,
  ...dates,
})

export function showBuild(build: Build): z.output<typeof buildShape> {
  const { owner, app, image, sha, procfile, dockerfile, uuid } = build
  return { owner, app, image, sha, procfile: { ...procfile }, dockerfile, uuid, ...datesOf(build) }
}

export const releaseShape = z.strictObject({
  uuid: string,
  app: string,
  owner: string,
  version: z.int(),
  summary: string,
  failed: z.boolean(),
  config: string,
  build: string.nullable(),
  ...dates,
})

export function showRelease(release: Release): z.output<typeof releaseShape> {
  const { uuid, app, owner, version, summary, state, config, build } = release
  return { uuid, app, owner, version, summary, failed: state === 'failed', config, build, ...datesOf(release) }
}

export const configShape = z.strictObject({
  uuid: string,
  app: string,
  owner: string,
  values: texts,
  memory: texts,
  cpu: texts,
  tags: texts,
  registry: texts,
  healthcheck: z.record(string, z.record(string, z.unknown())),
  ...dates,
})

export function showConfig(config: Config): z.output<typeof configShape> {
  const { uuid, app, owner, values, memory, cpu, tags, registry } = config
  return {
    uuid,
    app,
    owner,
    values: { ...values },
    memory: { ...memory },
    cpu: { ...cpu },
    tags: { ...tags },
    registry: { ...registry },
    healthcheck: Object.fromEntries(Object.entries(config.healthcheck).map(([type, probes]) => [type, { ...probes }])),
    ...datesOf(config),
  }
}

export const settingsShape = z.strictObject({
  uuid: string,
  app: string,
  owner: string,
  autoscale: z.record(string, z.strictObject({ min: z.int(), max: z.int(), cpu_percent: z.int() })),
  label: texts,
  maintenance: z.boolean(),
  routable: z.boolean(),
  whitelist: z.array(string),
  ...dates,
})

export function showSettings(settings: AppSettings): z.output<typeof settingsShape> {
  const { uuid, app, owner, autoscale, label, maintenance, routable, whitelist } = settings
  return {
    uuid,
    app,
    owner,
    autoscale: { ...autoscale },
    label: { ...label },
    maintenance,
    routable,
    whitelist: [...whitelist],
    ...datesOf(settings),
  }
}

export const tlsShape = z.strictObject({
  uuid: string,
  app: string,
  owner: string,
  https_enforced: z.boolean().nullable(),
  ...dates,
})

export function showTls(tls: Tls): z.output<typeof tlsShape> {
  return { uuid: tls.uuid, app: tls.app, owner: tls.owner, https_enforced: tls.httpsEnforced, ...datesOf(tls) }
}

export const domainShape = z.strictObject({ owner: string, app: string, domain: string, ...dates })

export function showDomain(domain: Domain): z.output<typeof domainShape> {
  return { owner: domain.owner, app: domain.app, domain: domain.domain, ...datesOf(domain) }
}

export const certificateShape = z.strictObject({
  id: z.int(),
  owner: string,
  name: string,
  domains: z.array(string),
  san: z.array(string),
  common_name: string.nullable(),
  fingerprint: string,
  expires: instant,
  starts: instant,
  issuer: string,
  subject: string,
  ...dates,
})

export function showCertificate(certificate: Certificate): z.output<typeof certificateShape> {
  const { id, owner, name, domains, san, commonName, fingerprint, issuer, subject } = certificate
  return {
    id,
    owner,
    name,
    domains: [...domains],
    san: [...san],
    common_name: commonName,
    fingerprint,
    expires: instantText(certificate.expires),
    starts: instantText(certificate.starts),
    issuer,
    subject,
    ...datesOf(certificate),
  }
}

export const keyShape = z.strictObject({
  uuid: string,
  owner: string,
  id: string,
  public: string,
  fingerprint: string,
  ...dates,
})

export function showKey(key: Key): z.output<typeof keyShape> {
  const { uuid, owner, id, fingerprint } = key
  return { uuid, owner, id, public: key.public, fingerprint, ...datesOf(key) }
}

export const processShape = z.strictObject({
  name: string,
  state: string,
  release: string.regex(/^v[0-9]+$/),
  type: string,
  started: instant,
})

export function showProcess(process: Process): z.output<typeof processShape> {
  const { name, state, version, type, started } = process
  return { name, state, release: `v${version}`, type, started: instantText(started) }
}
