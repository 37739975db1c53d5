// Kubernetes objects of a build, with the fields that we write.

import type { KubeObject } from '#kube/types.ts'
import type { BuildQuantities } from './options.ts'

export interface BuildEnvVar {
  readonly name: string
  readonly value?: string
  readonly valueFrom?: { readonly secretKeyRef: { readonly name: string; readonly key: string } }
}

export interface Mount {
  readonly name: string
  readonly mountPath: string
  readonly readOnly?: boolean
}

export interface BuildContainer {
  readonly name: string
  readonly image: string
  readonly imagePullPolicy?: string
  readonly command: readonly string[]
  readonly args?: readonly string[]
  readonly workingDir?: string
  readonly env: readonly BuildEnvVar[]
  readonly resources: { readonly requests: BuildQuantities; readonly limits: BuildQuantities }
  readonly volumeMounts: readonly Mount[]
  readonly securityContext: ContainerSecurity
}

export interface ContainerSecurity {
  readonly allowPrivilegeEscalation: false
  readonly capabilities: { readonly drop: readonly ['ALL']; readonly add?: readonly string[] }
  readonly runAsNonRoot?: boolean
  readonly runAsUser?: number
  readonly runAsGroup?: number
  readonly seccompProfile?: { readonly type: string }
  readonly appArmorProfile?: { readonly type: string }
}

export interface Volume {
  readonly name: string
  readonly emptyDir?: Readonly<Record<string, never>>
  readonly secret?: {
    readonly secretName: string
    readonly defaultMode: number
    readonly items: readonly { readonly key: string; readonly path: string }[]
  }
}

export interface BuildPodSpec {
  readonly restartPolicy: 'Never'
  readonly activeDeadlineSeconds: number
  readonly terminationGracePeriodSeconds: number
  readonly automountServiceAccountToken: false
  readonly enableServiceLinks: false
  readonly hostUsers?: false
  readonly nodeSelector?: Readonly<Record<string, string>>
  readonly imagePullSecrets?: readonly { readonly name: string }[]
  readonly securityContext: {
    readonly runAsNonRoot: true
    readonly runAsUser: number
    readonly runAsGroup: number
    readonly fsGroup: number
    readonly seccompProfile: { readonly type: string }
  }
  readonly initContainers: readonly BuildContainer[]
  readonly containers: readonly BuildContainer[]
  readonly volumes: readonly Volume[]
}

/** batch/v1 Job. */
export interface Job extends KubeObject {
  readonly spec: {
    /** Until its Secret is there. */
    readonly suspend: boolean
    readonly backoffLimit: number
    readonly completions: number
    readonly parallelism: number
    readonly activeDeadlineSeconds: number
    readonly ttlSecondsAfterFinished: number
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> }
      readonly spec: BuildPodSpec
    }
  }
}

/** core/v1 Secret of a build, which goes with its Job. */
export interface BuildSecret extends KubeObject {
  readonly type: 'Opaque'
  readonly data: Readonly<Record<string, string>>
}
