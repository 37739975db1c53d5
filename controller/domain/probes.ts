// The probes that processes of a type get (controller contract, section 8, Probes).

import type { BuildKind } from './app.ts'
import type { ConfigMaps, Probe, Probes } from './config.ts'
import { own } from './json-map.ts'
import { isRouted, routedPseudoType } from './process-type.ts'

export interface ProbedType {
  readonly type: string
  readonly kind: BuildKind
  /** Whether the app is. */
  readonly routable: boolean
  /** Null: it listens nowhere. */
  readonly port: number | null
}

/** Those of the config, else for a type that is routed to a readiness probe by default. Each `httpGet` has a port. */
export function probesOf({ healthcheck }: Pick<ConfigMaps, 'healthcheck'>, probed: ProbedType): Probes {
  const { type, kind, routable, port } = probed
  const configured = [own(healthcheck, type), isRouted(type) ? own(healthcheck, routedPseudoType) : undefined].find(
    probes => probes !== undefined && Object.keys(probes).length > 0,
  )
  if (configured !== undefined) return withPorts(configured, port)
  if (!routable || !isRouted(type)) return {}
  if (kind === 'slug') return { readinessProbe: slugProbe }
  return port === null ? {} : { readinessProbe: { tcpSocket: { port }, ...byDefault, initialDelaySeconds: 5 } }
}

const byDefault = { timeoutSeconds: 5, periodSeconds: 5, successThreshold: 1, failureThreshold: 1 } as const

/** Ready once process 1 is no longer the script that unpacks the slug: it ends by becoming the app. */
const slugProbe: Probe = {
  exec: { command: ['/bin/bash', '-c', '[[ "$(tr "\\0" " " </proc/1/cmdline)" != *"/runner/init"* ]]'] },
  ...byDefault,
  initialDelaySeconds: 30,
}

function withPorts({ livenessProbe, readinessProbe }: Probes, port: number | null): Probes {
  return {
    ...(livenessProbe === undefined ? {} : { livenessProbe: withPort(livenessProbe, port) }),
    ...(readinessProbe === undefined ? {} : { readinessProbe: withPort(readinessProbe, port) }),
  }
}

function withPort(probe: Probe, port: number | null): Probe {
  if (probe.httpGet === undefined || probe.httpGet.port !== undefined) return probe
  return { ...probe, httpGet: { ...probe.httpGet, port: port ?? fallbackPort } }
}

/** For a path without a port in an app without one. */
const fallbackPort = 5000

/** Seconds that the slowest probe of a type lets pass before it asks for the first time. */
export function largestDelay({ livenessProbe, readinessProbe }: Probes): number {
  return Math.max(livenessProbe?.initialDelaySeconds ?? 0, readinessProbe?.initialDelaySeconds ?? 0)
}
