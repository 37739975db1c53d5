// What a run of the command line has around it. Tests give their own; main.ts gives the process's.

import type { Readable, Writable } from 'node:stream'

export type Environment = Readonly<Record<string, string | undefined>>

/** `isTTY`: somebody sits there. */
export type Input = Readable & { readonly isTTY?: boolean; setRawMode?(on: boolean): unknown }
export type Sink = Writable & { readonly isTTY?: boolean }

export interface Surroundings {
  readonly env: Environment
  /** The directory that the command is run in. */
  readonly directory: string
  readonly stdin: Input
  readonly stdout: Sink
  readonly stderr: Sink
  /** Ends what would go on until somebody stops it. */
  readonly signal: AbortSignal
  /** Milliseconds since 1970. */
  now(): number
  /** Whether the system knows an address of the host, as `git` would ask it. */
  resolves(host: string): Promise<boolean>
}
