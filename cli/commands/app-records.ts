// What the controller tells of apps, as far as commands look at it.

export interface App {
  readonly uuid: string
  readonly id: string
  readonly owner: string
  readonly created: string
  readonly updated: string
}

/** `GET apps/A/`, which tells too what is to run: processes of each type. */
export interface AppWithStructure extends App {
  readonly structure?: Readonly<Record<string, number>>
}

export interface Pod {
  readonly name: string
  readonly type: string
  readonly state: string
  readonly release: string
  readonly started: string
}

export interface Domain {
  readonly domain: string
}

export interface Config {
  readonly values: Readonly<Record<string, unknown>>
  readonly memory: Readonly<Record<string, unknown>>
  readonly cpu: Readonly<Record<string, unknown>>
  readonly tags: Readonly<Record<string, unknown>>
  readonly registry: Readonly<Record<string, unknown>>
  readonly healthcheck: Readonly<Record<string, Probes>>
}

export interface Probes {
  readonly livenessProbe?: Probe | null
  readonly readinessProbe?: Probe | null
}

export interface Probe {
  readonly initialDelaySeconds?: number
  readonly timeoutSeconds?: number
  readonly periodSeconds?: number
  readonly successThreshold?: number
  readonly failureThreshold?: number
  readonly exec?: { readonly command: readonly string[] } | null
  readonly httpGet?: {
    readonly path?: string
    readonly port: number
    readonly httpHeaders?: readonly { readonly name: string; readonly value: string }[] | null
  } | null
  readonly tcpSocket?: { readonly port: number } | null
}

export interface Settings {
  readonly maintenance?: boolean | null
  readonly routable?: boolean | null
  readonly autoscale?: Readonly<
    Record<string, { readonly min: number; readonly max: number; readonly cpu_percent: number } | null>
  > | null
  readonly label?: Readonly<Record<string, unknown>> | null
}

export interface Certificate {
  readonly name: string
  readonly owner: string
  readonly common_name: string | null
  readonly san: readonly string[] | null
  readonly domains: readonly string[] | null
  readonly expires: string | null
  readonly starts: string | null
  readonly created: string | null
  readonly updated: string | null
  readonly fingerprint: string
  readonly issuer: string
  readonly subject: string
}

/** `/apps/shop`: what follows is one of its collections. */
export function pathOf(app: string): string {
  return `/apps/${encodeURIComponent(app)}`
}
