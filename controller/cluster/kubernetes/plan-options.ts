// What a plan depends on beside the app: how the platform was installed, and what the cluster is like.

import type { SlugStorage } from '../../domain/environment.ts'

export interface PlanOptions {
  /** Who may read the certificates of apps. */
  readonly router: { readonly namespace: string; readonly serviceAccount: string }
  /** Spec of the ResourceQuota that each app gets; null: none. */
  readonly quota: Readonly<Record<string, unknown>> | null
  /** Who reaches Pods of apps beside their own app and the router: these namespaces. Null: everybody. */
  readonly isolation: { readonly admitted: readonly string[] } | null
  /** Runs slugs. */
  readonly slugRunnerImage: string
  readonly slugStorage: SlugStorage | null
  /** Data of the Secret with the credentials of that storage, base64; null: none. */
  readonly storageCredentials: Readonly<Record<string, string>> | null
  readonly registry: RegistryOptions
  /** `Always`, `IfNotPresent` or `Never`. A config's IMAGE_PULL_POLICY wins. */
  readonly imagePullPolicy: string
  /** At how many Pods a time a rollout goes on; null: as many as there are nodes for the app. */
  readonly batches: number | null
  /** Seconds for one such batch. */
  readonly deployTimeout: number
  /** Null: Kubernetes decides. */
  readonly revisionHistoryLimit: number | null
  readonly terminationGracePeriod: number
  /** Nodes that have the app's tags, as far as known; at least 1 is assumed. */
  readonly nodes: number
}

export interface RegistryOptions {
  /** `HOST:PORT` where nodes fetch what the builder pushed; null: images are given in full. */
  readonly address: string | null
  /**
   * What credentials are filed under for an image that names no host. The kubelet takes patterns, label by label; the
   * host that it completes such names with has two.
   */
  readonly defaultHost: string
  /** Credentials of a registry outside of the cluster, for all apps. */
  readonly credentials: { readonly hostname: string; readonly username: string; readonly password: string } | null
  /** A pull Secret that somebody else keeps in the namespaces of apps (`private-registry-ecr`, `-gcr`). */
  readonly foreignSecret: string | null
}

export const defaultPlanOptions: PlanOptions = {
  router: { namespace: 'deis', serviceAccount: 'deis-router' },
  quota: null,
  isolation: null,
  slugRunnerImage: 'deis/slugrunner',
  slugStorage: null,
  storageCredentials: null,
  registry: { address: null, defaultHost: '*.*', credentials: null, foreignSecret: null },
  imagePullPolicy: 'IfNotPresent',
  batches: null,
  deployTimeout: 120,
  revisionHistoryLimit: null,
  terminationGracePeriod: 30,
  nodes: 1,
}
