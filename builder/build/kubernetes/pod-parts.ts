// What the containers of a build have in common, and what they are planned from.

import type { BuildRequest } from '../strategy.ts'
import type { BuildContainer, BuildEnvVar, ContainerSecurity, Mount } from './job-types.ts'
import type { BuildKind } from './names.ts'
import type { JobOptions } from './options.ts'

/** Where the Pod pushes to, and by which right. */
export interface PushTarget {
  /** `HOST:PORT` as Pods have it. */
  readonly host: string
  /** Without TLS. */
  readonly isPlain: boolean
  /** For the app's repositories alone; null: the registry asks nobody who he is. Secret. */
  readonly token: string | null
}

export interface SourceOffer {
  readonly url: string
  /** Secret. */
  readonly token: string
}

export interface BuildPlan {
  readonly kind: BuildKind
  /** Of the Job, the Secret, and the Pod's label `heritage`. */
  readonly name: string
  readonly request: Pick<BuildRequest, 'app' | 'commit' | 'config'>
  readonly source: SourceOffer
  readonly target: PushTarget
}

/** What is mounted, and where. */
export const places = { source: '/workspace', layers: '/layers', buildpack: '/buildpack', home: '/home/build' } as const

/** Keys of the Secret. */
export const secretKeys = { source: 'source-token', registry: 'registry-auth' } as const

export function configKey(name: string): string {
  return `config.${name}`
}

/** Names that both a file and a key of a Secret can have, and that a shell would take. */
export function isVariable(name: string): boolean {
  return name.length <= 200 && /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)
}

/** What every container of a build has in common; `security` is what one of them has beside it. */
export function container(
  options: JobOptions,
  own: Omit<BuildContainer, 'resources' | 'securityContext' | 'imagePullPolicy'>,
  security: Partial<ContainerSecurity> = {},
): BuildContainer {
  return {
    ...own,
    ...(options.pullPolicy === null ? {} : { imagePullPolicy: options.pullPolicy }),
    resources: { requests: options.requests, limits: options.limits },
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, ...security },
  }
}

export function fromSecret(name: string, plan: Pick<BuildPlan, 'name'>, key: string): BuildEnvVar {
  return { name, valueFrom: { secretKeyRef: { name: plan.name, key } } }
}

export function sourceMount(): Mount {
  return { name: 'source', mountPath: places.source }
}
