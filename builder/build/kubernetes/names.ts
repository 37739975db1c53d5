// What the objects of a build are called, and by what they are known to be ours (builder contract, sections 7 and 8).

import { shortCommit } from '../strategy.ts'

export type BuildKind = 'buildpacks' | 'dockerfile'

const prefixes = { buildpacks: 'slugbuild', dockerfile: 'dockerbuild' } as const
/** Characters of the app's name, so that the whole has 63 at most. */
const room = { buildpacks: 35, dockerfile: 33 } as const

/** Of the container that builds. */
export const builderContainer = { buildpacks: 'deis-slugbuilder', dockerfile: 'deis-dockerbuilder' } as const

export const fetchContainer = 'deis-source'

const managedBy = { 'app.kubernetes.io/managed-by': 'deis-builder' } as const

/** Selects what we made, of all builds. */
export const managedSelector = 'app.kubernetes.io/managed-by=deis-builder'

/** `unique`: eight hexadecimal digits. */
export function buildName(kind: BuildKind, app: string, commit: string, unique: string): string {
  const cut = app.slice(0, room[kind]).replace(/-+$/, '')
  return `${prefixes[kind]}-${cut}-${shortCommit(commit)}-${unique}`
}

export function buildLabels(name: string, app: string): Readonly<Record<string, string>> {
  return { heritage: name, 'build.deis.io/app': app, ...managedBy }
}

/** Selects the Pods of a build. */
export function podSelector(name: string): string {
  return `heritage=${name}`
}
