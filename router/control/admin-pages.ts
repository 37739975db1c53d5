// What the admin port shows, as plain data. Certificates by name, fingerprint and date: never a key.

import { assertNever } from '#kit/assert-never.ts'
import type { Certificate } from '../model/certificate.ts'
import type { HostMatch, PathMatch } from '../model/route.ts'
import type { DatedProblem } from './problem-book.ts'
import type { Published } from './published.ts'

export function problemsPage(problems: readonly DatedProblem[]): unknown {
  return {
    problems: problems.map(({ code, severity, object, message, since }) => ({
      code,
      severity,
      object,
      message,
      since: new Date(since).toISOString(),
    })),
  }
}

export function routesPage({ routes, upstreams, certificates, version }: Published): unknown {
  const entries = routes
    .values()
    .map(route => {
      const { app, host, path, backend, policies, certificate } = route
      return {
        host: hostText(host),
        path: pathText(path),
        app,
        upstream: backend.upstream,
        endpoints: upstreams.get(backend.upstream)?.endpoints.length ?? 0,
        policies: policies.map(({ kind }) => kind),
        certificate: certificate === null ? null : certificatePart(certificates.get(certificate)),
      }
    })
    .toArray()
  return { version, routes: entries.sort((a, b) => compare(a.host, b.host) || compare(a.path, b.path)) }
}

function certificatePart(certificate: Certificate | undefined): unknown {
  if (certificate === undefined) return null
  const { id, fingerprint, notAfter } = certificate
  return { id, fingerprint, expires: new Date(notAfter).toISOString() }
}

function hostText(host: HostMatch): string {
  switch (host.kind) {
    case 'exact':
      return host.host
    case 'wildcard':
      return `*.${host.suffix}`
    case 'label':
      return `${host.label}.*`
    case 'any':
      return '*'
    default:
      return assertNever(host)
  }
}

function pathText(path: PathMatch): string {
  switch (path.kind) {
    case 'exact':
      return `= ${path.path}`
    case 'prefix':
      return path.path
    default:
      return assertNever(path)
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
