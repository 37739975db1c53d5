// How builds are run in a cluster: whose images, how much of a node, for how long.

import type { Quantities } from '#kube/workload-types.ts'

export interface BuildQuantities extends Quantities {
  readonly 'ephemeral-storage'?: string
}

/** A user and a group of numbers: a cluster cannot tell of names whether they are root's. */
export interface Identity {
  readonly user: number
  readonly group: number
}

export interface JobOptions {
  /** Where the Jobs are. */
  readonly namespace: string
  /** Ours, or another with Node, tar and git: it fetches the source. */
  readonly fetch: { readonly image: string; readonly command: readonly string[] }
  /** A builder image of Cloud Native Buildpacks, with the lifecycle at /cnb/lifecycle. */
  readonly buildpacks: {
    readonly image: string
    /** Null: the one that the builder image names. */
    readonly runImage: string | null
    /** As the builder image has it, in CNB_USER_ID and CNB_GROUP_ID. */
    readonly identity: Identity
    /** Version of the platform interface that is spoken with the lifecycle. */
    readonly platform: string
  }
  /** An image with buildah. */
  readonly dockerfiles: {
    readonly image: string
    readonly identity: Identity
    /**
     * The container runtime's own filter, `RuntimeDefault`, forbids making user name spaces, which rootless buildah
     * cannot do without on most nodes; it is `Unconfined` then, with all the rest of the restrictions.
     */
    readonly seccomp: 'RuntimeDefault' | 'Unconfined'
  }
  readonly pullPolicy: string | null
  /** Names of Secrets with which the images above are fetched. */
  readonly pullSecrets: readonly string[]
  readonly nodeSelector: Readonly<Record<string, string>>
  readonly requests: BuildQuantities
  readonly limits: BuildQuantities
  /** Seconds that a build may run. */
  readonly deadline: number
  /** Seconds that the Job of a build is kept when it has ended, for whoever looks after the cluster. */
  readonly kept: number
}

export const standardJobOptions = {
  fetch: { command: ['node', '/app/builder/build/kubernetes/fetch/main.ts'] },
  buildpacks: { runImage: null, identity: { user: 1000, group: 1000 }, platform: '0.12' },
  dockerfiles: { identity: { user: 1000, group: 1000 }, seccomp: 'Unconfined' },
  pullPolicy: null,
  pullSecrets: [],
  nodeSelector: {},
  requests: { cpu: '100m', memory: '256Mi', 'ephemeral-storage': '256Mi' },
  limits: { cpu: '2', memory: '2Gi', 'ephemeral-storage': '8Gi' },
  deadline: 1800,
  kept: 300,
} as const
