// Which image runs a build, and with which credentials it is fetched.

import type { Secret } from '#kube/types.ts'
import { buildKind } from '../../domain/app.ts'
import type { DesiredApp, DesiredRelease } from '../../domain/desired-app.ts'
import { appLabels } from './marks.ts'
import type { PlanOptions } from './plan-options.ts'

export function imageOf({ id }: DesiredApp, { build }: DesiredRelease, options: PlanOptions): string {
  switch (buildKind(build)) {
    case 'slug':
      return options.slugRunnerImage
    case 'buildpack':
    case 'dockerfile': {
      const { address } = options.registry
      const name = `${id}:git-${build.sha.slice(0, 8)}`
      // A builder says the app's name, with the tag or without it, when it pushed to the registry of the cluster.
      const isOurs = address !== null && (build.image === id || build.image === name)
      return isOurs ? `${address}/${name}` : build.image
    }
    case 'image':
      return build.image
  }
}

/** The Secret to fetch the image with, to be made by us. */
export function pullSecretOf(app: DesiredApp, release: DesiredRelease, options: PlanOptions): Secret | null {
  const { registry } = release.config
  const { username, password, hostname } = registry
  if (username !== undefined && password !== undefined) {
    const host = hostname || hostOf(imageOf(app, release, options)) || options.registry.defaultHost
    return secret(app, 'private-registry', host, username, password)
  }
  const { credentials } = options.registry
  if (credentials === null) return null
  return secret(app, 'private-registry-off-cluster', credentials.hostname, credentials.username, credentials.password)
}

/** The name of the Secret to fetch the image with, whoever makes it. */
export function pullSecretNames(
  app: DesiredApp,
  release: DesiredRelease,
  options: PlanOptions,
): readonly { readonly name: string }[] {
  const name = pullSecretOf(app, release, options)?.metadata.name ?? options.registry.foreignSecret
  return name === null ? [] : [{ name }]
}

/** The first part of an image's name, when it can only be a host. */
function hostOf(image: string): string | null {
  const [first = '', ...rest] = image.split('/')
  return rest.length > 0 && (/[.:]/.test(first) || first === 'localhost') ? first : null
}

function secret({ id }: DesiredApp, name: string, host: string, username: string, password: string): Secret {
  const auth = Buffer.from(`${username}:${password}`).toString('base64')
  const config = JSON.stringify({ auths: { [host]: { auth } } })
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: id, labels: appLabels(id) },
    type: 'kubernetes.io/dockerconfigjson',
    data: { '.dockerconfigjson': Buffer.from(config).toString('base64') },
  }
}
