// What a builder image left in the registry: the process types that buildpacks gave an app, as its image says them
// (Platform Interface Specification, label `io.buildpacks.build.metadata`).

import { readImageConfig, readManifest } from '#kit/oci/manifest.ts'
import type { Registry } from '#kit/oci/registry.ts'
import type { Procfile } from '../procfile.ts'
import { BuildError } from '../strategy.ts'

const metadataLabel = 'io.buildpacks.build.metadata'
const maxConfig = 4 * 1024 * 1024
const typePattern = /^[A-Za-z0-9._-]{1,63}$/

/** Types that buildpacks define. Throws BuildError `lost` when the image is not there. */
export async function imageProcessTypes(
  registry: Registry,
  repository: string,
  tag: string,
  signal: AbortSignal,
): Promise<Procfile> {
  const found = await registry.manifest(repository, tag, signal)
  if (found === null) throw new BuildError('lost', 'The build ended well, but its image is not in the registry.')
  const manifest = readManifest(found.bytes.toString())
  if (!('config' in manifest)) throw new BuildError('lost', 'The build left no image that can be read.')
  const config = await registry.smallBlob(repository, manifest.config, maxConfig, signal)
  return processTypesOf(readImageConfig(config.toString()).labels[metadataLabel] ?? '')
}

/** Of the label's text; what is not as it should be is not there. */
export function processTypesOf(metadata: string): Procfile {
  let processes: unknown
  try {
    processes = (JSON.parse(metadata) as { readonly processes?: unknown } | null)?.processes
  } catch {
    return {}
  }
  if (!Array.isArray(processes)) return {}
  const types = processes.flatMap((process: { readonly type?: unknown } | null) =>
    typeof process?.type === 'string' && typePattern.test(process.type) ? [process.type] : [],
  )
  // Programs named by type know arguments, directory and environment of the process.
  return Object.fromEntries(types.map(type => [type, `/cnb/process/${type}`]))
}
