// The default service of the settings (contract section 9): what answers for hosts that nobody asks for.

import { isIP } from 'node:net'
import type { ObjectRef, Problem } from '../model/problem.ts'
import type { RouteId } from '../model/route.ts'
import type { RouterSettings } from '../model/settings.ts'
import type { UpstreamId } from '../model/upstream.ts'
import { quote } from './annotation.ts'
import { readAppSettings } from './app-settings.ts'
import type { RouteDraft } from './route-draft.ts'
import { backendOf } from './route-parts.ts'

const port = 80
const name = 'default-service'

export interface DefaultServiceTranslation {
  /** Null: there is none. */
  readonly draft: RouteDraft | null
  readonly problems: readonly Problem[]
}

/**
 * `object` carries the settings; `owner` is the Ingress whose default backend gives way, if there is one: who runs the
 * router has the last word on what nobody names.
 */
export function translateDefaultService(
  settings: RouterSettings,
  object: ObjectRef,
  owner: ObjectRef | null,
): DefaultServiceTranslation {
  const { enabled, address, app } = settings.defaultService
  if (!enabled) return { draft: null, problems: [] }
  const refuse = (message: string): DefaultServiceTranslation => {
    return { draft: null, problems: [{ code: 'invalid-annotation', severity: 'warning', object, message }] }
  }
  if (isIP(address) === 0 || address.includes('%')) {
    const key = 'router.deis.io/nginx.defaultServiceIP'
    return refuse(`${key}: ${quote(address)} is no IP address, so that there is no default service`)
  }
  if (app === '') {
    const key = 'router.deis.io/nginx.defaultAppName'
    return refuse(`${key} is not set, so that there is no default service`)
  }
  const { settings: standard } = readAppSettings({}, object)
  const upstream = `${name}:${port}` as UpstreamId
  const draft: RouteDraft = {
    route: {
      id: name as RouteId,
      app,
      serverName: '_',
      host: { kind: 'default' },
      path: { kind: 'prefix', path: '/' },
      https: true,
      certificate: null,
      policies: [],
      requestStart: settings.requestStartHeader,
      referrerPolicy: null,
      backend: backendOf(upstream, standard, settings),
    },
    secret: null,
    authorities: null,
    needsCertificate: false,
    target: { kind: 'fixed', endpoints: [{ address: address.toLowerCase(), port }] },
  }
  const message = 'its default backend gives way to the default service of the router, for hosts that nobody names'
  const problems: readonly Problem[] =
    owner === null ? [] : [{ code: 'host-conflict', severity: 'warning', object: owner, message }]
  return { draft, problems }
}
