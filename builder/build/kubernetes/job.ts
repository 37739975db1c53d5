// The objects of one build, made of what was pushed: a Job whose Pod fetches the source, builds it and pushes the image,
// and a Secret with all that nobody else should read. Pure.
//
// Programs of the build are those of whoever pushes. They have no account at the API server, no root, no privileges, a
// share of the node, and an end; of the registry they are given what concerns their own app, and that for a while.

import { shortCommit } from '../strategy.ts'
import { buildpackContainer, customBuildpack, platformVolume } from './buildpacks.ts'
import { dockerfileContainer } from './dockerfile.ts'
import type { BuildContainer, BuildSecret, Job, Volume } from './job-types.ts'
import { type BuildKind, buildLabels, fetchContainer } from './names.ts'
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

export interface Plan {
  readonly job: Job
  readonly secret: BuildSecret
}

export function planOf(plan: BuildPlan, options: JobOptions): Plan {
  const { name, request, kind } = plan
  const labels = buildLabels(name, request.app)
  const metadata = { name, namespace: options.namespace, labels }
  const identity = options[kind === 'buildpacks' ? 'buildpacks' : 'dockerfiles'].identity
  return {
    job: {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata,
      spec: {
        suspend: true,
        // A build that failed is not tried again behind the pusher's back.
        backoffLimit: 0,
        completions: 1,
        parallelism: 1,
        // The Pod's own comes first: a Pod that ran out of time says so, one whose Job did is simply gone.
        activeDeadlineSeconds: options.deadline + 60,
        ttlSecondsAfterFinished: options.kept,
        template: {
          metadata: { labels },
          spec: {
            restartPolicy: 'Never',
            activeDeadlineSeconds: options.deadline,
            terminationGracePeriodSeconds: 5,
            automountServiceAccountToken: false,
            enableServiceLinks: false,
            ...(kind === 'dockerfile' && options.dockerfiles.userNamespace === 'pod' ? { hostUsers: false } : {}),
            ...(Object.keys(options.nodeSelector).length === 0 ? {} : { nodeSelector: options.nodeSelector }),
            ...(options.pullSecrets.length === 0
              ? {}
              : { imagePullSecrets: options.pullSecrets.map(secret => ({ name: secret })) }),
            securityContext: {
              runAsNonRoot: true,
              runAsUser: identity.user,
              runAsGroup: identity.group,
              fsGroup: identity.group,
              seccompProfile: { type: 'RuntimeDefault' },
            },
            initContainers: [sourceContainer(plan, options)],
            containers: [builder(plan, options)],
            volumes: volumes(plan),
          },
        },
      },
    },
    secret: {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata,
      type: 'Opaque',
      data: Object.fromEntries(
        Object.entries(secretTexts(plan)).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
      ),
    },
  }
}

function secretTexts({ request, source, target, kind }: BuildPlan): Readonly<Record<string, string>> {
  const { host, token } = target
  const values = {
    ...(kind === 'buildpacks' ? { SOURCE_VERSION: shortCommit(request.commit) } : {}),
    ...request.config,
  }
  const configured = Object.entries(values).filter(([name]) => isVariable(name))
  return {
    [secretKeys.source]: source.token,
    ...(token === null ? {} : { [secretKeys.registry]: registryAuth(kind, host, token) }),
    ...Object.fromEntries(configured.map(([name, value]) => [configKey(name), value])),
  }
}

/** In the form of whoever pushes: the lifecycle sends what it is given; buildah asks the controller for a token of its own. */
function registryAuth(kind: BuildKind, host: string, token: string): string {
  if (kind === 'buildpacks') return JSON.stringify({ [host]: `Bearer ${token}` })
  const auth = Buffer.from(`build:${token}`).toString('base64')
  return JSON.stringify({ auths: { [host]: { auth } } })
}

function sourceContainer(plan: BuildPlan, options: JobOptions): BuildContainer {
  const custom = plan.kind === 'buildpacks' ? customBuildpack(plan) : null
  return container(options, {
    name: fetchContainer,
    image: options.fetch.image,
    command: options.fetch.command,
    env: [
      { name: 'SOURCE_URL', value: plan.source.url },
      fromSecret('SOURCE_TOKEN', plan, secretKeys.source),
      { name: 'SOURCE_DIRECTORY', value: places.source },
      { name: 'HOME', value: places.home },
      ...(custom?.env ?? []),
    ],
    volumeMounts: [sourceMount(), { name: 'home', mountPath: places.home }, ...(custom?.mounts ?? [])],
  })
}

function builder(plan: BuildPlan, options: JobOptions): BuildContainer {
  return plan.kind === 'buildpacks' ? buildpackContainer(plan, options) : dockerfileContainer(plan, options)
}

function volumes(plan: BuildPlan): readonly Volume[] {
  const empty = (name: string): Volume => ({ name, emptyDir: {} })
  const shared = [empty('source'), empty('home')]
  if (plan.kind === 'dockerfile') return shared
  return [
    ...shared,
    empty('layers'),
    platformVolume(plan),
    ...(customBuildpack(plan) === null ? [] : [empty('buildpack')]),
  ]
}
