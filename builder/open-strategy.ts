// The strategy that the command line names. Loads what it needs only.

import { withPassword } from '#kit/oci/registry.ts'
import { version } from '#kit/version.ts'
import { KubeClient } from '#kube/client.ts'
import type { BuildStrategy } from './build/strategy.ts'
import type { BuilderConfig } from './config.ts'

/** Milliseconds that the cluster may take to tell what a builder before us has left. */
const openTimeout = 60_000

export async function openStrategy(config: BuilderConfig): Promise<BuildStrategy> {
  const { strategy, registry, registryTokens: tokens, builderKey, address, buildTimeout } = config
  const credentials = { username: 'builder', password: builderKey }
  if (strategy.kind === 'local') {
    const { LocalStrategy } = await import('./build/local/local-strategy.ts')
    return LocalStrategy.open({ state: strategy.state, registry, credentials, tokens })
  }
  const { KubernetesStrategy } = await import('./build/kubernetes/kubernetes-strategy.ts')
  const { dockerfileUsers, standardJobOptions } = await import('./build/kubernetes/options.ts')
  const { kubeconfig, jobs } = strategy
  const userAgent = `deis-builder/${version}`
  const options = { userAgent }
  const client = await (kubeconfig === null
    ? KubeClient.inCluster(options)
    : KubeClient.fromKubeconfig(kubeconfig, options))
  const { namespace, image, buildpacks, runImage, dockerfiles, userNamespace, pullPolicy, pullSecrets, nodeSelector } =
    jobs
  return KubernetesStrategy.open(
    {
      client,
      jobs: {
        ...standardJobOptions,
        ...{ namespace, pullPolicy, pullSecrets, nodeSelector, deadline: Math.ceil(buildTimeout / 1000) },
        fetch: { ...standardJobOptions.fetch, image },
        buildpacks: { ...standardJobOptions.buildpacks, image: buildpacks, runImage },
        dockerfiles: { ...dockerfileUsers(userNamespace), image: dockerfiles },
      },
      sources: { address, port: jobs.sourcePort, url: jobs.sourceUrl },
      registry: {
        url: registry,
        host: jobs.registryHost,
        authorize: withPassword('builder', builderKey, { url: tokens, userAgent }),
      },
    },
    AbortSignal.timeout(openTimeout),
  )
}
