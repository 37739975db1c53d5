// The cluster that the command line names.

import { join } from 'node:path'
import type { Logger } from '#kit/log.ts'
import type { Registry } from '#kit/oci/registry.ts'
import { version } from '#kit/version.ts'
import { KubeClient } from '#kube/client.ts'
import type { Cluster } from './cluster/cluster.ts'
import type { Images } from './cluster/local/images.ts'
import type { ControllerConfig } from './config.ts'
import type { AppId } from './domain/app.ts'

export interface OpenClusterOptions {
  readonly log: Logger
  /** What processes of this machine write, by app. */
  readonly line: (app: AppId, process: string, text: string) => void
  /** Where images are; null: they are directories. Closed by the cluster when that is of this machine. */
  readonly registry: Registry | null
}

/** Loads what it needs only: each kind of cluster costs memory. */
export async function openCluster(
  config: ControllerConfig,
  { log, line, registry }: OpenClusterOptions,
): Promise<Cluster> {
  if (config.cluster.kind === 'local') {
    const { directoryImages } = await import('./cluster/local/images.ts')
    const { LocalCluster } = await import('./cluster/local/local.ts')
    const { state, manifests } = config.cluster
    const images = registry === null ? directoryImages : await pulledImages(join(state, 'images'), registry)
    return LocalCluster.open({
      images,
      state: join(state, 'processes'),
      manifests,
      logs: { line },
      onFault: error => log.error({ error: error.message }, 'the router could not be told of a change'),
    })
  }
  const { KubernetesCluster } = await import('./cluster/kubernetes/kubernetes-cluster.ts')
  const { kubeconfig } = config.cluster
  const options = { userAgent: `deis-controller/${version}` }
  const client = await (kubeconfig === null
    ? KubeClient.inCluster(options)
    : KubeClient.fromKubeconfig(kubeconfig, options))
  return new KubernetesCluster({ client, platformNamespace: config.namespace, plan: config.plan })
}

async function pulledImages(directory: string, registry: Registry): Promise<Images> {
  const { ClusterImages } = await import('./images/cluster-images.ts')
  const { UnpackedImages } = await import('./images/unpacked-images.ts')
  return new ClusterImages(await UnpackedImages.open({ directory, registry }))
}
