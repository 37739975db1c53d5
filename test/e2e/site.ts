// A platform as people use it, wherever it runs: by the `deis` command, by git, and as visitors of apps.

import type { Ended } from '#test/support/builder-stage.ts'

export interface Site {
  /** `http://deis.localhost:8080`. */
  readonly controller: string
  /** Parent of the names of apps. */
  readonly platformDomain: string
  /** Where the router is, for visitors. */
  readonly http: Place
  readonly https: Place
  /** Of whoever runs the commands: home with a key, and places for sources. */
  readonly home: string
  /** The `deis` command, in `directory`. Exits as it exits; `err` without colours. */
  deis(directory: string, ...args: readonly string[]): Promise<Ended>
  /** git with the key `id_ed25519` of the home, and with what it takes to reach the builder. */
  git(directory: string, ...args: readonly string[]): Promise<Ended>
}

export interface Place {
  readonly address: string
  readonly port: number
}
