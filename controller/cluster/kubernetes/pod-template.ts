// The Pods of an app: those of its process types, and those that run a command once.

import type { Container, Pod, PodSpec, PodTemplate } from '#kube/workload-types.ts'
import { buildKind } from '../../domain/app.ts'
import { type Command, commandOf, runCommandOf } from '../../domain/command.ts'
import type { Probes } from '../../domain/config.ts'
import type { DesiredApp, DesiredRelease } from '../../domain/desired-app.ts'
import { resourcesOf } from '../../domain/limits.ts'
import { probesOf } from '../../domain/probes.ts'
import { envVarsOf } from './env-secret.ts'
import { imageOf, pullSecretNames } from './image.ts'
import { appLabels, oneOffType } from './marks.ts'
import type { PlanOptions } from './plan-options.ts'
import { storageSecretName } from './storage-secret.ts'
import { tuningOf } from './tuning.ts'

const storageVolume = 'objectstorage-keyfile'
const storagePath = '/var/run/secrets/deis/objectstore/creds'

export function podTemplateOf(
  app: DesiredApp,
  release: DesiredRelease,
  type: string,
  options: PlanOptions,
): PodTemplate {
  const { build, config, port } = release
  const probes = probesOf(config, { type, kind: buildKind(build), routable: app.routing.routable, port })
  return {
    metadata: { labels: podLabels(app, release, type) },
    spec: podSpec(app, release, type, commandOf(build, type), probes, options),
  }
}

/** A Pod that runs `line` once, for `limit` seconds at most even when nobody is left to end it. */
export function oneOffPodOf(
  app: DesiredApp,
  release: DesiredRelease,
  name: string,
  line: string,
  limit: number,
  options: PlanOptions,
): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: app.id, labels: podLabels(app, release, oneOffType) },
    spec: {
      ...podSpec(app, release, oneOffType, runCommandOf(release.build, line), {}, options),
      restartPolicy: 'Never',
      activeDeadlineSeconds: limit,
    },
  }
}

/** Kubernetes ends it at 63 characters, an app's name alone may have as many. */
function containerName(app: string, type: string): string {
  return `${app}-${type}`.slice(0, 63).replace(/-+$/, '')
}

function podLabels({ id }: DesiredApp, { version }: DesiredRelease, type: string): Readonly<Record<string, string>> {
  return { ...appLabels(id), type, version: `v${version}` }
}

function podSpec(
  app: DesiredApp,
  release: DesiredRelease,
  type: string,
  { command, args }: Command,
  { livenessProbe, readinessProbe }: Probes,
  options: PlanOptions,
): PodSpec {
  const { tags } = release.config
  const tuning = tuningOf(release.config, options)
  const { requests, limits } = resourcesOf(release.config, type)
  const pullSecrets = pullSecretNames(app, release, options)
  const hasStorage = buildKind(release.build) === 'slug' && options.storageCredentials !== null
  const mount = { name: storageVolume, mountPath: storagePath, readOnly: true }
  const container: Container = {
    name: containerName(app.id, type),
    image: imageOf(app, release, options),
    imagePullPolicy: tuning.imagePullPolicy,
    ...(command === null ? {} : { command }),
    ...(args === null || args.length === 0 ? {} : { args }),
    env: envVarsOf(app, release, options),
    resources: { ...unlessEmpty('requests', requests), ...unlessEmpty('limits', limits) },
    ...(livenessProbe === undefined ? {} : { livenessProbe }),
    ...(readinessProbe === undefined ? {} : { readinessProbe }),
    ...(hasStorage ? { volumeMounts: [mount] } : {}),
  }
  return {
    containers: [container],
    // Apps have no business with the API server.
    automountServiceAccountToken: false,
    // Links would put SHOP_PORT and their like into the environment, for the app's own Service: an app that is called
    // `my` would find `MY_PORT=tcp://…` where it looks for a number.
    enableServiceLinks: false,
    // The container runtime's own filter. Nothing stricter: images of apps run as root, and change users.
    securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
    terminationGracePeriodSeconds: tuning.terminationGracePeriod,
    ...unlessEmpty('nodeSelector', tags),
    ...(pullSecrets.length === 0 ? {} : { imagePullSecrets: pullSecrets }),
    ...(hasStorage ? { volumes: [{ name: storageVolume, secret: { secretName: storageSecretName } }] } : {}),
  }
}

function unlessEmpty<Name extends string, T extends object>(name: Name, value: T): { readonly [name in Name]?: T } {
  return (Object.keys(value).length === 0 ? {} : { [name]: value }) as { readonly [name in Name]?: T }
}
