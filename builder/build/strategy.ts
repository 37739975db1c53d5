// How a source becomes an image. Two strategies do it: Jobs of a Kubernetes cluster, and child processes of this machine.

/** What was pushed, and what it is to be built with. */
export interface BuildRequest {
  /** App: name of the repository, and of the image. */
  readonly app: string
  /** Commit, 40 lower-case hexadecimal digits. */
  readonly commit: string
  /** A directory with the files of the commit, without `.git`. The strategy may change it; who asked removes it. */
  readonly source: string
  /** Values of the app's config: the environment of the build as far as the contract says. Secret. */
  readonly config: Readonly<Record<string, string>>
  /** A line for the pusher, as it happens. */
  readonly say: (line: string) => void
  /** The pusher's machine, or the time limit, or the end of the builder. */
  readonly signal: AbortSignal
}

export interface BuildResult {
  /** As the controller is told: name and tag in the registry, `shop:git-1a2b3c4d`. */
  readonly image: string
  /** Process type → command. */
  readonly procfile: Readonly<Record<string, string>>
  /** Whether a Dockerfile made it. */
  readonly fromDockerfile: boolean
}

/** The build did not come about; `message` is for the pusher, after what `say` has told already. */
export class BuildError extends Error {
  /** `failed`: the source's own fault. `refused`: it cannot be built here. `lost`: something of ours broke. */
  readonly kind: 'failed' | 'refused' | 'lost'

  constructor(kind: BuildError['kind'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'BuildError'
    this.kind = kind
  }
}

export interface BuildStrategy {
  readonly kind: 'kubernetes' | 'local'

  /** What a builder before this one left running, and was ended at its start: names. */
  readonly leftOvers: readonly string[]

  /** Throws when nothing can be built now. */
  check(signal: AbortSignal): Promise<void>

  /** Throws BuildError. Leaves nothing running and no file behind but what is in the registry and the store. */
  build(request: BuildRequest): Promise<BuildResult>

  /** What is kept for an app, such as caches, goes. */
  forget(app: string): Promise<void>

  close(): Promise<void>
}

/** First digits of a commit, as tags and variables have it. */
export function shortCommit(commit: string): string {
  return commit.slice(0, 8)
}
