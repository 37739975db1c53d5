// Where apps run. Two implementations: a Kubernetes cluster, and child processes of this machine. Every call is
// idempotent and may be repeated after a crash; none keeps state that a restart would lose.

import type { AppId } from '../domain/app.ts'
import type { DesiredApp } from '../domain/desired-app.ts'

export type ProcessState =
  | 'initializing'
  | 'creating'
  | 'starting'
  | 'up'
  | 'terminating'
  | 'down'
  | 'destroyed'
  | 'crashed'
  | 'error'
  /** While pending also the cluster's own word, such as `ImagePullBackOff`. */
  | (string & {})

/** One process, as the API lists it. */
export interface Process {
  /** `APP-TYPE-…` */
  readonly name: string
  readonly type: string
  /** Version of its release. */
  readonly version: number
  readonly state: ProcessState
  readonly started: Date
}

/** A step of something slow, in words for a person. */
export type Progress = (message: string) => void

export interface DeployOptions {
  readonly signal: AbortSignal
  readonly onProgress: Progress
}

export interface RunResult {
  readonly exitCode: number
  /** Both streams, as they came; the first 1 MB of them. */
  readonly output: string
  /** There was more. */
  readonly isCut: boolean
}

/**
 * The cluster could not do it. `message` says what happened in words that a user can act on (`image x not found`,
 * `0/3 nodes are available: …`), without naming what belongs to others.
 */
export class ClusterError extends Error {
  /**
   * `taken`: a namespace of that name exists and is not ours. `failed`: the app does not come up. `unreachable`: the
   * cluster itself could not be asked or said no.
   */
  readonly kind: 'taken' | 'failed' | 'unreachable'

  constructor(kind: ClusterError['kind'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ClusterError'
    this.kind = kind
  }
}

export interface Cluster {
  readonly kind: 'kubernetes' | 'local'

  /** Throws when the cluster cannot be used now. */
  check(signal: AbortSignal): Promise<void>

  /** Makes the app's namespace, and publishes it. Throws ClusterError `taken`. */
  create(app: DesiredApp, signal: AbortSignal): Promise<void>

  /** Routing alone: Service, certificates, permissions of the router. */
  publish(app: DesiredApp, signal: AbortSignal): Promise<void>

  /**
   * Everything, and waits until all processes of the release are ready and those of others gone or going. Resolves
   * once traffic goes to the new ones. Throws ClusterError `failed` with the cause when they do not come up within
   * the deploy timeout; what ran before still runs then, and it is for the caller to deploy the former release again.
   */
  deploy(app: DesiredApp, options: DeployOptions): Promise<void>

  /** Everything, without waiting: what differs from `app` is brought back. Returns what was changed, in words. */
  repair(app: DesiredApp, signal: AbortSignal): Promise<readonly string[]>

  /** Brings the numbers of processes to `app.structure` and waits for them. Throws ClusterError `failed`. */
  scale(app: DesiredApp, options: DeployOptions): Promise<void>

  /** All processes of the app but one-off ones, newest first. */
  processes(app: AppId, signal: AbortSignal): Promise<readonly Process[]>

  /** Ends the named processes and waits (5 minutes at most) for as many new ones that are up. Returns the new ones. */
  restart(app: AppId, names: readonly string[], signal: AbortSignal): Promise<readonly Process[]>

  /** Runs a command in the app's current release, to its end (20 minutes at most). */
  run(app: DesiredApp, command: string, signal: AbortSignal): Promise<RunResult>

  /** Removes everything of the app and waits for it to be gone. Nothing happens when it is not ours or not there. */
  destroy(app: Pick<DesiredApp, 'id' | 'uuid'>, signal: AbortSignal): Promise<void>

  /** The apps that the cluster knows, with the mark that `create` set: what the store does not know is left over. */
  apps(signal: AbortSignal): Promise<readonly Pick<DesiredApp, 'id' | 'uuid'>[]>

  /** Number of nodes that have these labels. */
  nodes(tags: Readonly<Record<string, string>>, signal: AbortSignal): Promise<number>

  /** Ids of apps of which something was changed or removed by somebody else, as it happens, until `signal` aborts. */
  drift(signal: AbortSignal): AsyncIterable<AppId>

  /** Ends watches, and for `local` the processes. */
  close(): Promise<void>
}
