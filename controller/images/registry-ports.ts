// What an image in our registry says of itself: the port it exposes (controller contract, section 8, PORT).

import { firstPort, type Index, type Manifest, readImageConfig, readManifest } from '#kit/oci/manifest.ts'
import { parseReference } from '#kit/oci/reference.ts'
import { type Registry, RegistryError } from '#kit/oci/registry.ts'
import type { BuildKind } from '../domain/app.ts'
import { Refusal } from '../domain/refusal.ts'
import type { Images } from '../reconcile/images.ts'

const timeout = 30_000
const longestConfig = 4 * 1024 * 1024

export class RegistryPorts implements Images {
  readonly #registry: Registry
  readonly #otherwise: Images

  /** `otherwise` is asked about what is not in the registry. */
  constructor(registry: Registry, otherwise: Images) {
    this.#registry = registry
    this.#otherwise = otherwise
  }

  /** Throws an `unavailable` Refusal while the registry is away. */
  async exposedPort(image: string, kind: BuildKind): Promise<number | null> {
    const reference = parseReference(image)
    const isOurs = reference !== null && (reference.host === null || reference.host === this.#registry.host)
    // What buildpacks make is told where to listen.
    if (!isOurs || kind === 'buildpack' || kind === 'slug') return await this.#otherwise.exposedPort(image, kind)
    try {
      return await this.#portOf(reference.repository, reference.version, AbortSignal.timeout(timeout))
    } catch (error) {
      if (error instanceof RegistryError && error.kind === 'unreachable')
        throw new Refusal('unavailable', `image ${image} cannot be looked at: ${error.message}`, { cause: error })
      // What cannot be read exposes nothing; that it cannot be run either, the cluster says.
      if (error instanceof RegistryError || error instanceof SyntaxError) return null
      throw error
    }
  }

  async #portOf(repository: string, version: string, signal: AbortSignal, depth = 0): Promise<number | null> {
    const found = await this.#registry.manifest(repository, version, signal)
    if (found === null) return null
    let document: Manifest | Index
    try {
      document = readManifest(found.bytes.toString())
    } catch {
      return null
    }
    if ('config' in document) {
      const config = await this.#registry.smallBlob(repository, document.config, longestConfig, signal)
      return firstPort(readImageConfig(config.toString()))
    }
    // Images for several machines expose the same.
    const [first] = document.manifests
    return first === undefined || depth > 0 ? null : await this.#portOf(repository, first.digest, signal, depth + 1)
  }
}
