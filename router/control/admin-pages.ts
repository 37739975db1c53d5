// What the admin port shows, as plain data. Certificates by name, fingerprint and date: never a key.

import { assertNever } from '#kit/assert-never.ts'
import type { Certificate } from '../model/certificate.ts'
import type { Policy } from '../model/route.ts'
import type { DatedProblem } from './problem-book.ts'
import type { Published } from './published.ts'
import { addressText, hostText, pathText } from './route-text.ts'

/** Addresses of one upstream, and blocks of one allow list, that a page shows; their number is exact. */
const mostShown = 16

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
      const { id, app, host, path, backend, policies, https, certificate } = route
      const endpoints = upstreams.get(backend.upstream)?.endpoints ?? []
      return {
        id,
        host: hostText(host),
        ...(host.kind === 'wildcard' && { depth: host.depth }),
        path: pathText(path),
        app,
        upstream: backend.upstream,
        endpoints: endpoints.length,
        addresses: endpoints.slice(0, mostShown).map(addressText),
        policies: policies.map(policyPart),
        https,
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

function policyPart(policy: Policy): unknown {
  switch (policy.kind) {
    case 'maintenance':
      return { kind: policy.kind }
    case 'enforce-https':
      return { kind: policy.kind, exceptChallenges: policy.exceptChallenges }
    case 'allow-list': {
      const shown = policy.blocks.slice(0, mostShown)
      return {
        kind: policy.kind,
        blocks: policy.blocks.length,
        shown: shown.map(({ address, prefix }) => `${address}/${prefix}`),
      }
    }
    case 'client-certificate': {
      const { kind, authorities, required, passToApp } = policy
      return { kind, authorities, required, passToApp }
    }
    default:
      return assertNever(policy)
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
