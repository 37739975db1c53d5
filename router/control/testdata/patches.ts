// Small Patches for tests.

import type { Certificate } from '../../model/certificate.ts'
import { parseHostname } from '../../model/hostname.ts'
import type { AppSlot, Builder, Patch } from '../../model/patch.ts'
import type { Route, RouteId } from '../../model/route.ts'
import type { Upstream, UpstreamId } from '../../model/upstream.ts'
import { standardUpstreamSettings } from '../../model/upstream-settings.ts'
import { World } from '../world.ts'

/** What a world without objects comes to. */
function emptyPatch(): Patch {
  const world = new World({ namespace: 'deis', now: () => 0 })
  world.take()
  return world.whole()
}

export function patchOf(parts: {
  readonly reset?: boolean
  readonly routes?: readonly Route[]
  readonly withoutRoutes?: readonly string[]
  readonly upstreams?: readonly Upstream[]
  readonly certificates?: readonly Certificate[]
  readonly withoutCertificates?: readonly string[]
  readonly apps?: readonly AppSlot[]
  readonly builder?: Builder | null
}): Patch {
  const { settings, builder, ...empty } = emptyPatch()
  return {
    ...empty,
    reset: parts.reset ?? false,
    ...(parts.reset && { settings, builder }),
    ...(parts.builder !== undefined && { builder: parts.builder }),
    routes: { upserts: parts.routes ?? [], deletes: (parts.withoutRoutes ?? []) as RouteId[] },
    upstreams: { upserts: parts.upstreams ?? [], deletes: [] },
    certificates: {
      upserts: parts.certificates ?? [],
      deletes: (parts.withoutCertificates ?? []) as Certificate['id'][],
    },
    apps: parts.apps ?? [],
  }
}

/** An exact host of the app `app`, served by an upstream named after it. */
export function routeOf(host: string, app: string, certificate: string | null = null): Route {
  return {
    id: `service/default/${app}/${host}` as RouteId,
    app,
    serverName: host,
    host: { kind: 'exact', host: parseHostname(host)! },
    path: { kind: 'prefix', path: '/' },
    https: certificate !== null,
    certificate: certificate as Certificate['id'] | null,
    policies: [],
    requestStart: false,
    referrerPolicy: null,
    backend: {
      upstream: upstreamOf(app).id,
      connectTimeout: 1000,
      idleTimeout: 1000,
      readAhead: 0,
      headLimit: 64 * 1024,
    },
  }
}

export function upstreamOf(app: string, ...ports: readonly number[]): Upstream {
  const endpoints = ports.map(port => ({ address: '127.0.0.1', port }))
  return { id: `default/${app}:80` as UpstreamId, endpoints, settings: standardUpstreamSettings }
}

export function certificateOf(id: string, notAfter = Date.UTC(2030, 0)): Certificate {
  return { id: id as Certificate['id'], chain: 'CHAIN', key: 'PRIVATE', fingerprint: 'AB:CD', notAfter }
}
