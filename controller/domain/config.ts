// The config of a release: environment, limits, node tags, registry credentials and health checks.

import type { AppId } from './app.ts'

/** Fields as Kubernetes names them; checked, so that the API server takes it. */
export interface Probe {
  readonly exec?: { readonly command: readonly string[] }
  readonly httpGet?: {
    /** Absent in those made from `HEALTHCHECK_URL`: the port of the release, filled in when it is deployed. */
    readonly port?: number
    readonly path?: string
    readonly host?: string
    readonly scheme?: string
    readonly httpHeaders?: readonly { readonly name: string; readonly value: string }[]
  }
  readonly tcpSocket?: { readonly port: number }
  readonly initialDelaySeconds?: number
  readonly timeoutSeconds?: number
  readonly periodSeconds?: number
  readonly successThreshold?: number
  readonly failureThreshold?: number
}

export interface Probes {
  readonly livenessProbe?: Probe
  readonly readinessProbe?: Probe
}

type Texts = Readonly<Record<string, string>>

/** The maps of a config; numbers are kept as text. */
export interface ConfigMaps {
  /** The environment. */
  readonly values: Texts
  /** By process type: `LIMIT` or `REQUEST/LIMIT`. */
  readonly memory: Texts
  readonly cpu: Texts
  /** Labels that a node must have. */
  readonly tags: Texts
  /** `username`, `password`, `hostname`. Secret. */
  readonly registry: Texts
  /** By process type; `web/cmd` for the one that is routed to. */
  readonly healthcheck: Readonly<Record<string, Probes>>
}

export const noConfig: ConfigMaps = { values: {}, memory: {}, cpu: {}, tags: {}, registry: {}, healthcheck: {} }

export interface Config extends ConfigMaps {
  readonly uuid: string
  readonly app: AppId
  readonly owner: string
  readonly created: Date
  readonly updated: Date
}
