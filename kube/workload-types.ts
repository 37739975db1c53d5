// Kubernetes objects of running programs, with only the fields that we read or write. Everything in a `status` is
// optional, because the API server leaves out what is zero or empty.

import type { KubeObject } from './types.ts'

type Texts = Readonly<Record<string, string>>

/** core/v1 Namespace. */
export interface Namespace extends KubeObject {
  readonly status?: {
    readonly phase?: string
    readonly conditions?: readonly Condition[]
  }
}

export interface Condition {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
  readonly lastTransitionTime?: string
}

/** What is read of it; what it asks is as whoever applies it has it. */
export interface ContainerProbe {
  readonly initialDelaySeconds?: number
}

export interface EnvVar {
  readonly name: string
  readonly valueFrom: { readonly secretKeyRef: { readonly name: string; readonly key: string } }
}

export interface Quantities {
  readonly memory?: string
  readonly cpu?: string
}

export interface Container {
  readonly name: string
  readonly image: string
  readonly imagePullPolicy?: string
  readonly command?: readonly string[]
  readonly args?: readonly string[]
  readonly env?: readonly EnvVar[]
  readonly resources?: { readonly requests?: Quantities; readonly limits?: Quantities }
  readonly livenessProbe?: ContainerProbe
  readonly readinessProbe?: ContainerProbe
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[]
}

export interface PodSpec {
  readonly containers: readonly Container[]
  readonly restartPolicy?: string
  readonly nodeSelector?: Texts
  readonly automountServiceAccountToken?: boolean
  readonly enableServiceLinks?: boolean
  readonly terminationGracePeriodSeconds?: number
  readonly activeDeadlineSeconds?: number
  readonly securityContext?: { readonly seccompProfile?: { readonly type: string } }
  readonly imagePullSecrets?: readonly { readonly name: string }[]
  readonly volumes?: readonly { readonly name: string; readonly secret?: { readonly secretName: string } }[]
}

export interface PodTemplate {
  readonly metadata: { readonly labels: Texts; readonly annotations?: Texts }
  readonly spec: PodSpec
}

/** How a container is doing: one of the three. */
export interface ContainerState {
  readonly waiting?: { readonly reason?: string; readonly message?: string }
  readonly running?: { readonly startedAt?: string }
  readonly terminated?: {
    readonly exitCode: number
    readonly signal?: number
    readonly reason?: string
    readonly message?: string
  }
}

export interface ContainerStatus {
  readonly name: string
  readonly ready?: boolean
  readonly restartCount?: number
  readonly image?: string
  readonly state?: ContainerState
  readonly lastState?: ContainerState
}

/** core/v1 Pod. */
export interface Pod extends KubeObject {
  readonly spec?: PodSpec
  readonly status?: {
    readonly phase?: string
    readonly reason?: string
    readonly message?: string
    readonly startTime?: string
    readonly conditions?: readonly Condition[]
    readonly initContainerStatuses?: readonly ContainerStatus[]
    readonly containerStatuses?: readonly ContainerStatus[]
  }
}

/** core/v1 Event. */
export interface KubeEvent extends KubeObject {
  readonly reason?: string
  readonly message?: string
  readonly type?: string
  readonly lastTimestamp?: string | null
  readonly eventTime?: string | null
}

/** apps/v1 Deployment, as one that runs apps sees it. */
export interface AppDeployment extends KubeObject {
  readonly spec?: {
    /** Absent in what we apply: left to an autoscaler. */
    readonly replicas?: number
    readonly selector: { readonly matchLabels: Texts }
    readonly revisionHistoryLimit?: number
    readonly strategy?: {
      readonly type: string
      readonly rollingUpdate?: { readonly maxUnavailable: number; readonly maxSurge: number }
    }
    readonly template: PodTemplate
  }
  readonly status?: {
    readonly observedGeneration?: number
    readonly replicas?: number
    readonly updatedReplicas?: number
    readonly readyReplicas?: number
    readonly availableReplicas?: number
    readonly conditions?: readonly Condition[]
  }
}

/** autoscaling/v2 HorizontalPodAutoscaler. */
export interface Autoscaler extends KubeObject {
  readonly spec: {
    readonly scaleTargetRef: { readonly apiVersion: string; readonly kind: string; readonly name: string }
    readonly minReplicas: number
    readonly maxReplicas: number
    readonly metrics: readonly {
      readonly type: 'Resource'
      readonly resource: {
        readonly name: string
        readonly target: { readonly type: 'Utilization'; readonly averageUtilization: number }
      }
    }[]
  }
}

/** core/v1 ResourceQuota. */
export interface ResourceQuota extends KubeObject {
  readonly spec: Readonly<Record<string, unknown>>
}

interface PolicyPeer {
  readonly namespaceSelector?: { readonly matchLabels?: Texts }
  readonly podSelector?: { readonly matchLabels?: Texts }
}

/** networking.k8s.io/v1 NetworkPolicy, of what comes in. */
export interface NetworkPolicy extends KubeObject {
  readonly spec: {
    readonly podSelector: { readonly matchLabels?: Texts }
    readonly policyTypes: readonly 'Ingress'[]
    readonly ingress: readonly { readonly from: readonly PolicyPeer[] }[]
  }
}

export interface PolicyRule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly verbs: readonly string[]
}

/** rbac.authorization.k8s.io/v1 Role. */
export interface Role extends KubeObject {
  readonly rules: readonly PolicyRule[]
}

/** rbac.authorization.k8s.io/v1 RoleBinding. */
export interface RoleBinding extends KubeObject {
  readonly roleRef: { readonly apiGroup: string; readonly kind: string; readonly name: string }
  readonly subjects: readonly { readonly kind: string; readonly name: string; readonly namespace: string }[]
}
