// The container in which Cloud Native Buildpacks build an app: the lifecycle of a builder image, in one go (Platform
// Interface Specification, `creator`).

import { shortCommit } from '../strategy.ts'
import type { BuildContainer, BuildEnvVar, Mount, Volume } from './job-types.ts'
import { builderContainer } from './names.ts'
import type { JobOptions } from './options.ts'
import {
  type BuildPlan,
  configKey,
  container,
  fromSecret,
  isVariable,
  places,
  secretKeys,
  sourceMount,
} from './pod-parts.ts'

const creator = '/cnb/lifecycle/creator'

/** What an app's builds leave for the next one. No app has a slash in its name, so it is nobody else's image. */
export function cacheRepository(app: string): string {
  return `${app}/cache`
}

export const cacheTag = 'latest'

/** Where layers of the last image are looked for, so that those which are as before need not be pushed. */
const previousTag = 'latest'

export function buildpackContainer(plan: BuildPlan, options: JobOptions): BuildContainer {
  const { request, target } = plan
  const { image, runImage, identity, platform } = options.buildpacks
  const isCached = !Object.hasOwn(request.config, 'DEIS_DISABLE_CACHE')
  const repository = `${target.host}/${request.app}`
  const custom = customBuildpack(plan)
  return container(options, {
    name: builderContainer.buildpacks,
    image,
    command: [creator],
    args: [
      `-app=${places.source}`,
      `-layers=${places.layers}`,
      '-platform=/platform',
      `-uid=${identity.user}`,
      `-gid=${identity.group}`,
      ...(custom === null
        ? []
        : [`-buildpacks=${places.buildpack}/buildpacks`, `-order=${places.buildpack}/order.toml`]),
      ...(runImage === null ? [] : [`-run-image=${runImage}`]),
      ...(isCached ? [`-cache-image=${target.host}/${cacheRepository(request.app)}:${cacheTag}`] : ['-skip-restore']),
      `-previous-image=${repository}:${previousTag}`,
      `-tag=${repository}:${previousTag}`,
      `${repository}:git-${shortCommit(request.commit)}`,
    ],
    env: [
      { name: 'CNB_PLATFORM_API', value: platform },
      { name: 'CNB_NO_COLOR', value: 'true' },
      ...(target.isPlain ? [{ name: 'CNB_INSECURE_REGISTRIES', value: target.host }] : []),
      ...(target.token === null ? [] : [fromSecret('CNB_REGISTRY_AUTH', plan, secretKeys.registry)]),
    ],
    volumeMounts: [
      sourceMount(),
      { name: 'layers', mountPath: places.layers },
      // Config is for buildpacks to ask for, and in the environment of no program of ours.
      { name: 'platform', mountPath: '/platform/env', readOnly: true },
      ...(custom === null ? [] : [{ name: 'buildpack', mountPath: places.buildpack, readOnly: true }]),
    ],
  })
}

export function platformVolume({ name, request }: BuildPlan): Volume {
  const names = [...new Set(['SOURCE_VERSION', ...Object.keys(request.config)])].filter(isVariable)
  const items = names.map(variable => ({ key: configKey(variable), path: variable }))
  return { name: 'platform', secret: { secretName: name, defaultMode: 0o440, items } }
}

/** `BUILDPACK_URL`: fetched together with the source, into a directory that the lifecycle takes its buildpacks from. */
export function customBuildpack(
  plan: BuildPlan,
): { readonly env: readonly BuildEnvVar[]; readonly mounts: readonly Mount[] } | null {
  const { config } = plan.request
  const has = (name: string): boolean => Object.hasOwn(config, name) && config[name] !== ''
  if (!has('BUILDPACK_URL')) return null
  return {
    env: [
      // A URL may have a password in it.
      fromSecret('BUILDPACK_URL', plan, configKey('BUILDPACK_URL')),
      { name: 'BUILDPACK_DIRECTORY', value: places.buildpack },
      ...(has('SSH_KEY') ? [fromSecret('SSH_KEY', plan, configKey('SSH_KEY'))] : []),
    ],
    mounts: [{ name: 'buildpack', mountPath: places.buildpack }],
  }
}
