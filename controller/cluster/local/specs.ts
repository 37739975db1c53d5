// What an app's release means on this machine: a spec for each process type (controller contract, section 8). Pure.

import { compareText } from '#kit/compare-text.ts'
import { type BuildKind, buildKind } from '../../domain/app.ts'
import type { Probe, Probes } from '../../domain/config.ts'
import type { DesiredApp, DesiredRelease } from '../../domain/desired-app.ts'
import { environmentOf } from '../../domain/environment.ts'
import { own } from '../../domain/json-map.ts'
import { memoryLimitOf } from '../../domain/limits.ts'
import { probesOf } from '../../domain/probes.ts'
import { routedTypeOf } from '../../domain/structure.ts'
import { ClusterError } from '../cluster.ts'
import { parseDuration } from './duration.ts'
import type { ProcessSpec } from './process.ts'

export interface SpecOptions {
  /** Where the app is. */
  readonly directory: string
  /** See ImageDirectory. */
  readonly root: string | null
  /** What it is given unless its config says otherwise. */
  readonly environment: Readonly<Record<string, string>>
  /** Whether its buildpack left scripts that set more of its environment (builder contract, section 7). */
  readonly hasProfile: boolean
  /** `/bin/bash`, or `/bin/sh` where there is none. */
  readonly shell: string
  /** What of our own environment apps get; nothing else of it. */
  readonly path: string
  readonly language: string
  /** How long a process may take to end, unless the config says otherwise, milliseconds. */
  readonly grace: number
}

/** Throws ClusterError `failed` when the build does not say how to run this type. */
export function specOf(app: DesiredApp, release: DesiredRelease, type: string, options: SpecOptions): ProcessSpec {
  const { build, config, version, port } = release
  const line = own(build.procfile, type) ?? ''
  if (line.trim() === '') throw new ClusterError('failed', noCommand(type, buildKind(build)))
  return {
    app: app.id,
    type,
    version,
    command: [options.shell, '-c', options.hasProfile ? `${readProfile}\n${line}` : line],
    directory: options.directory,
    root: options.root,
    environment: localEnvironment(app, release, options),
    configuredPort: port,
    probes: localProbes(app, release, type),
    // None is written as 0 too.
    memory: memoryLimitOf(config, type) || null,
    grace: parseDuration(own(config.values, 'KUBERNETES_POD_TERMINATION_GRACE_PERIOD_SECONDS'), options.grace),
  }
}

const readProfile = 'for profile in ./.profile.d/*.sh; do [ ! -r "$profile" ] || . "$profile"; done; unset profile'

function noCommand(type: string, kind: BuildKind): string {
  const what =
    kind === 'buildpack' || kind === 'slug'
      ? 'its Procfile'
      : 'its Procfile (an unpacked image has no command of its own)'
  return `${type} cannot be started: there is no command for it in ${what}`
}

/** Sorted, so that the same environment is the same text. */
function localEnvironment(
  app: DesiredApp,
  release: DesiredRelease,
  { environment, path, language }: SpecOptions,
): Readonly<Record<string, string>> {
  const { PORT: _, ...given } = environmentOf(app, release)
  // Of the machine that the image was made for: each run has its own.
  const { HOME: _home, TMPDIR: _temporary, ...ofImage } = environment
  const all = { ...ofImage, PATH: path, LANG: language, ...given }
  return Object.fromEntries(Object.entries(all).sort(([a], [b]) => compareText(a, b)))
}

/** What is routed to has to accept connections before it counts as ready, unless the config asks for more. */
function localProbes(app: DesiredApp, { config, port }: DesiredRelease, type: string): Probes {
  // Those by default are made for containers, of which some take half a minute to look for the first time.
  const configured = probesOf(config, { type, kind: 'image', routable: false, port })
  if (configured.readinessProbe !== undefined || type !== routedTypeOf(app.structure)) return configured
  if (!app.routing.routable || port === null) return configured
  const accepts: Probe = { tcpSocket: { port }, periodSeconds: 5, timeoutSeconds: 5 }
  return { ...configured, readinessProbe: accepts }
}
