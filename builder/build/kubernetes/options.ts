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

/**
 * Where the users of a Dockerfile come from. `build`: the build makes a user name space of its own, which works on every
 * node. `pod`: the cluster gives the Pod one (`hostUsers: false`), which takes a node that can.
 */
export const userNamespaces = ['build', 'pod'] as const
export type UserNamespace = (typeof userNamespaces)[number]

/**
 * Of the node, for the users 0 to 65,535 of an image. The first is above those of people, services, containers with names
 * and the kubelet's own ranges, and no distribution gives it away.
 */
export const buildUsers = { first: 0x7000_0000, count: 65_536 } as const

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
  /** An image with buildah, unshare and nsenter. */
  readonly dockerfiles: {
    readonly image: string
    readonly userNamespace: UserNamespace
    /** Who fetches the source. When the build makes the name space, also root of the image as the node sees it. */
    readonly identity: Identity
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
  dockerfiles: { userNamespace: 'build', identity: { user: buildUsers.first, group: buildUsers.first } },
  pullPolicy: null,
  pullSecrets: [],
  nodeSelector: {},
  requests: { cpu: '100m', memory: '256Mi', 'ephemeral-storage': '256Mi' },
  limits: { cpu: '2', memory: '2Gi', 'ephemeral-storage': '8Gi' },
  deadline: 1800,
  kept: 300,
} as const

/** Users of a Pod with a name space of its own are numbered from 0 to 65,535. */
export function dockerfileUsers(userNamespace: UserNamespace): Omit<JobOptions['dockerfiles'], 'image'> {
  return userNamespace === 'build'
    ? standardJobOptions.dockerfiles
    : { userNamespace, identity: { user: 1000, group: 1000 } }
}
