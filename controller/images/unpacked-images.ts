// Images of the registry as directories of this machine. Each layer is unpacked once, each image is put together of its
// layers by hard links, and both are called by their digests: releases with the same image share one, and of a new push
// only what changed is fetched. Apps share images in the same way, and images the files of their layers: nobody may write
// there, and processes run in copies (see cluster/local/own-files.ts).
//
// What is not in use goes, but for the images that were asked for last.

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type Descriptor,
  type ImageConfig,
  type Index,
  label,
  type Manifest,
  readImageConfig,
  readManifest,
  thisPlatform,
} from '#kit/oci/manifest.ts'
import { isDigest, parseReference, type Reference } from '#kit/oci/reference.ts'
import { type Registry, RegistryError } from '#kit/oci/registry.ts'
import { hexOf, type ImageFile, ImageFolder } from './image-folder.ts'
import { LayerError, type LayerLimits, unpackLayer } from './layer.ts'
import { MergedLayers } from './merged-layers.ts'

export interface UnpackedImage {
  /** Where its processes run: `root`, or somewhere in it. */
  readonly directory: string
  /** For reading only. */
  readonly root: string
  /** Defaults for its processes. */
  readonly environment: Readonly<Record<string, string>>
}

/** It is not there, or cannot run here; `message` is for the user. */
export class ImageError extends Error {
  readonly kind: 'missing' | 'unusable' | 'unreachable'

  constructor(kind: ImageError['kind'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ImageError'
    this.kind = kind
  }
}

const mostLayers = 127
const longestConfig = 4 * 1024 * 1024
const standardLimits: LayerLimits = { bytes: 4 * 2 ** 30, files: 500_000 }
/** Images that are not in use and stay all the same. */
const standardSpare = 20
const pullTimeout = 600_000

export interface UnpackedImagesOptions {
  /** Ours alone. */
  readonly directory: string
  readonly registry: Registry
  readonly limits?: LayerLimits
  readonly spare?: number
}

export class UnpackedImages {
  readonly #options: UnpackedImagesOptions
  readonly #folder: ImageFolder
  readonly #limits: LayerLimits
  readonly #closing = new AbortController()
  /** What is being made, by its name. */
  readonly #making = new Map<string, Promise<unknown>>()
  #users = 0
  #sweeping: Promise<void> = Promise.resolve()

  private constructor(options: UnpackedImagesOptions, folder: ImageFolder) {
    this.#options = options
    this.#folder = folder
    this.#limits = options.limits ?? standardLimits
  }

  static async open(options: UnpackedImagesOptions): Promise<UnpackedImages> {
    return new UnpackedImages(options, await ImageFolder.open(options.directory))
  }

  /** Throws ImageError. */
  async unpack(image: string): Promise<UnpackedImage> {
    const reference = parseReference(image)
    if (reference === null || (reference.host !== null && reference.host !== this.#options.registry.host))
      throw new ImageError('missing', `image ${image} not found`)
    await this.#sweeping
    this.#users++
    try {
      return await this.#unpack(image, reference)
    } catch (error) {
      throw asImageError(image, error)
    } finally {
      this.#users--
    }
  }

  /** Removes what is neither in use nor asked for lately; `inUse` are directories that `unpack` gave. */
  async sweep(inUse: ReadonlySet<string>): Promise<void> {
    // Next time, then: whoever is at it may need what looks unused.
    if (this.#users > 0) return
    this.#sweeping = this.#folder.sweep(inUse, this.#options.spare ?? standardSpare).catch(() => {})
    await this.#sweeping
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('the controller is ending'))
    await Promise.allSettled(this.#making.values())
    await this.#options.registry.close()
  }

  async #unpack(image: string, reference: Reference): Promise<UnpackedImage> {
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(pullTimeout)])
    const digest = await this.#digestOf(image, reference, signal)
    const place = this.#folder.imagePlace(digest)
    const known = await this.#folder.readImage(place)
    const file = known ?? (await this.#once(place, () => this.#make(reference.repository, digest, place, signal)))
    await this.#folder.asked(place)
    const root = join(place, 'root')
    return { directory: join(root, file.workingDirectory), root, environment: file.environment }
  }

  /** What is asked for by its digest needs no registry when it is here. */
  async #digestOf(image: string, { repository, version }: Reference, signal: AbortSignal): Promise<string> {
    if (isDigest(version)) return version
    try {
      const found = await this.#options.registry.manifest(repository, version, signal)
      if (found === null) throw new ImageError('missing', `image ${image} not found`)
      await this.#folder.keepReference(image, found.digest)
      return found.digest
    } catch (error) {
      const isAway = error instanceof RegistryError && (error.kind === 'unreachable' || (error.status ?? 0) >= 500)
      const known = isAway ? await this.#folder.reference(image) : null
      if (known === null) throw error
      return known
    }
  }

  async #make(repository: string, digest: string, place: string, signal: AbortSignal): Promise<ImageFile> {
    const { registry } = this.#options
    const manifest = await this.#manifest(repository, digest, signal)
    if (manifest.layers.length > mostLayers) throw new ImageError('unusable', `it has more than ${mostLayers} layers`)
    const config = readImageConfig(
      (await registry.smallBlob(repository, manifest.config, longestConfig, signal)).toString(),
    )
    if (config.labels[label.runsIn] !== 'directory')
      throw new ImageError(
        'unusable',
        'it was made from a Dockerfile, and takes a container to run in, which this machine has not; an app with a ' +
          'Procfile and no Dockerfile runs without one',
      )
    if (config.layers.length !== manifest.layers.length)
      throw new ImageError('unusable', 'its config names other layers than its manifest')
    for (const [index, descriptor] of manifest.layers.entries())
      await this.#layer(repository, descriptor, config.layers[index]!, signal)
    return await this.#assemble(config, place)
  }

  async #manifest(repository: string, digest: string, signal: AbortSignal, depth = 0): Promise<Manifest> {
    const found = await this.#options.registry.manifest(repository, digest, signal)
    if (found === null) throw new ImageError('missing', `${repository}@${digest} not found`)
    const document: Manifest | Index = readManifest(found.bytes.toString())
    if ('config' in document) return document
    const fit = document.manifests.find(
      ({ platform }) => platform?.os === thisPlatform.os && platform.architecture === thisPlatform.architecture,
    )
    if (fit === undefined || depth > 0) throw new ImageError('unusable', 'it has nothing for this machine')
    return await this.#manifest(repository, fit.digest, signal, depth + 1)
  }

  async #layer(repository: string, descriptor: Descriptor, diffId: string, signal: AbortSignal): Promise<void> {
    if (!isDigest(diffId)) throw new ImageError('unusable', 'its config names a layer by no digest')
    const place = this.#folder.layerPlace(diffId)
    if ((await this.#folder.readLayer(place)) !== null) return
    await this.#once(place, () =>
      this.#folder.draft(place, async draft => {
        const root = join(draft, 'root')
        await mkdir(root)
        const source = await this.#options.registry.blob(repository, descriptor, signal)
        const { mediaType } = descriptor
        const layer = await unpackLayer(source, { mediaType, diffId }, root, this.#limits, signal)
        await writeFile(join(draft, 'layer.json'), JSON.stringify(layer))
      }),
    )
  }

  async #assemble(config: ImageConfig, place: string): Promise<ImageFile> {
    const merged = new MergedLayers()
    let bytes = 0
    for (const digest of config.layers) {
      const directory = this.#folder.layerPlace(digest)
      const layer = await this.#folder.readLayer(directory)
      if (layer === null) throw new Error(`layer ${digest} went away`)
      bytes += layer.bytes
      if (bytes > this.#limits.bytes)
        throw new ImageError('unusable', `it is larger than ${Math.floor(this.#limits.bytes / 2 ** 20)} MB`)
      for (const path of layer.whiteouts) merged.takeAway(path)
      await merged.add(join(directory, 'root'))
    }
    const workingDirectory = config.workingDirectory
      .split('/')
      .filter(part => part !== '')
      .join('/')
    if (workingDirectory !== '' && merged.kindOf(workingDirectory) !== 'directory')
      throw new ImageError('unusable', 'it has not the directory that it wants to run in')
    const file: ImageFile = {
      layers: config.layers.map(hexOf),
      workingDirectory,
      environment: environmentOf(config.environment),
    }
    await this.#folder.draft(place, async draft => {
      await merged.make(join(draft, 'root'))
      await writeFile(join(draft, 'image.json'), JSON.stringify(file))
    })
    return file
  }

  async #once<T>(name: string, make: () => Promise<T>): Promise<T> {
    const known = this.#making.get(name)
    if (known !== undefined) return (await known) as T
    const making = make()
    this.#making.set(name, making)
    try {
      return await making
    } finally {
      this.#making.delete(name)
    }
  }
}

/** PATH and the like are of the machine that it was made for. */
function environmentOf(texts: readonly string[]): Readonly<Record<string, string>> {
  const machine = new Set(['PATH', 'HOME', 'TMPDIR', 'PORT'])
  const pairs = texts.flatMap(text => {
    const equals = text.indexOf('=')
    return equals > 0 ? [[text.slice(0, equals), text.slice(equals + 1)] as const] : []
  })
  return Object.fromEntries(pairs.filter(([name]) => !machine.has(name)))
}

function asImageError(image: string, error: unknown): ImageError {
  const { message } = error as Error
  const because = { cause: error }
  if (error instanceof ImageError)
    return error.kind === 'missing'
      ? error
      : new ImageError(error.kind, `image ${image} cannot be used: ${message}`, because)
  if (error instanceof RegistryError && error.kind === 'corrupt')
    return new ImageError('unusable', `image ${image} cannot be used: ${message}`, because)
  if (error instanceof LayerError)
    return new ImageError('unusable', `image ${image} cannot be used: of a layer: ${message}`, because)
  return new ImageError('unreachable', `image ${image} cannot be fetched: ${message}`, because)
}
