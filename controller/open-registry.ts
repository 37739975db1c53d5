// The registry that the command line names, as the controller uses it: to look at images, and on this machine to pull them.

import { join } from 'node:path'
import { type Authorize, Registry } from '#kit/oci/registry.ts'
import { version } from '#kit/version.ts'
import type { ControllerConfig } from './config.ts'
import { RegistryLeftImages } from './images/left-images.ts'
import { RegistryPorts } from './images/registry-ports.ts'
import { type Images, type LeftImages, localImages, noLeftImages, unknownImages } from './reconcile/images.ts'
import { type Grant, RegistryTokens } from './registry-tokens.ts'

/** Null: the registry wants no tokens, or has another key. Throws StartupError 64. */
export async function openRegistryTokens(config: ControllerConfig): Promise<RegistryTokens | null> {
  const { registryTokenKey, registryService, cluster } = config
  if (registryTokenKey !== null) return await RegistryTokens.read(registryTokenKey, registryService)
  return cluster.kind === 'local' ? await RegistryTokens.keep(join(cluster.state, 'keys'), registryService) : null
}

/** Null: there is none. */
export function openRegistry({ registry }: ControllerConfig, tokens: RegistryTokens | null): Registry | null {
  if (registry === null) return null
  return new Registry({
    url: registry,
    authorize: tokens === null ? null : signing(tokens),
    userAgent: `deis-controller/${version}`,
  })
}

/** What the controller knows of images. */
export function imagesOf(config: ControllerConfig, registry: Registry | null): Images {
  const otherwise = config.cluster.kind === 'local' ? localImages : unknownImages
  return registry === null ? otherwise : new RegistryPorts(registry, otherwise)
}

/** What an app's name may have been before. Without tokens everybody may read everything anyway. */
export function leftImagesOf(registry: Registry | null, tokens: RegistryTokens | null): LeftImages {
  return registry === null || tokens === null ? noLeftImages : new RegistryLeftImages(registry)
}

/** We need not ask ourselves. */
function signing(tokens: RegistryTokens): Authorize {
  return async ({ scope }) => {
    const [type, name, actions] = scope.split(':')
    const isKnown = type === 'repository' || type === 'registry'
    const access = isKnown ? [{ type, name: name!, actions: actions!.split(',') } satisfies Grant] : []
    return (await tokens.sign('controller', access)).token
  }
}
