// What is where in the data directory.

import { join } from 'node:path'

export interface DataPaths {
  /** What nobody else may read. */
  readonly secrets: string
  /** SQLite: users, apps, releases. */
  readonly database: string
  /** What the router reads. Also yours: a file of your own is followed too. */
  readonly manifests: string
  /** Images. */
  readonly registry: string
  /** Git, as pushed. */
  readonly repositories: string
  /** Processes of apps, and images unpacked for them. */
  readonly apps: string
  readonly builds: string
  /** Lines of apps. */
  readonly logs: string
  /** Of the builder, emptied at each start. */
  readonly work: string
}

export function dataPaths(data: string): DataPaths {
  return {
    secrets: join(data, 'secrets'),
    database: join(data, 'state.db'),
    manifests: join(data, 'manifests'),
    registry: join(data, 'registry'),
    repositories: join(data, 'repositories'),
    apps: join(data, 'apps'),
    builds: join(data, 'builds'),
    logs: join(data, 'logs'),
    work: join(data, 'work'),
  }
}

/** Journals of processes (kit/children/journal.ts), of apps and of builds. */
export function journalPaths(data: string): readonly string[] {
  const { apps, builds } = dataPaths(data)
  return [join(apps, 'processes', 'processes'), join(builds, 'processes')]
}
