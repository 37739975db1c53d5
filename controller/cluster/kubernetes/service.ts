// The Service of an app: what the router is told of it, and which of its processes get requests (controller contract,
// section 7).

import type { Service } from '#kube/types.ts'
import type { DesiredApp, Routing } from '../../domain/desired-app.ts'
import { routedTypeOf } from '../../domain/structure.ts'
import { appLabels } from './marks.ts'

/** Before there is a release nothing listens, but a Service has to say something. */
const noPort = 5000

export function serviceOf(app: DesiredApp): Service {
  const { id, routing, release, structure } = app
  const type = release === null ? null : (routedTypeOf(structure) ?? 'cmd')
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: id,
      namespace: id,
      labels: { ...appLabels(id), 'router.deis.io/routable': String(routing.routable) },
      annotations: routingAnnotations(routing),
    },
    spec: {
      selector: { app: id, heritage: 'deis', ...(type === null ? {} : { type }) },
      ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: release?.port ?? noPort }],
    },
  }
}

/** What is empty is left out, and so goes from the Service with the next apply. */
function routingAnnotations(routing: Routing): Readonly<Record<string, string>> {
  const { domains, whitelist, maintenance, httpsEnforced } = routing
  const certificates = domains.flatMap(({ domain, certificate }) =>
    certificate === null ? [] : [`${domain}:${certificate}`],
  )
  return {
    ...list(
      'domains',
      domains.map(({ domain }) => domain),
    ),
    ...list('certificates', certificates),
    ...list('whitelist', whitelist),
    'router.deis.io/maintenance': String(maintenance),
    // Never set counts as false: the router's own setting enforces it for all apps in either case.
    'router.deis.io/ssl.enforce': String(httpsEnforced ?? false),
  }
}

function list(name: string, values: readonly string[]): Readonly<Record<string, string>> {
  return values.length === 0 ? {} : { [`router.deis.io/${name}`]: values.join(',') }
}
