// Images of the registry as directories of this machine. Each layer is unpacked once, each image is put together of its
// layers by hard links, and both are called by their digests: releases with the same image share one, and of a new push
// only what changed is fetched.
//
//   layers/HEX/root/         files of a layer, by the digest of its archive
//   layers/HEX/layer.json    what it takes away from the layers below
//   images/HEX/root/         an image, by the digest of its manifest
//   images/HEX/image.json    its layers, working directory and environment; its time is when it was asked for last
//   references/HEX           the digest that a name had when it was looked up last, for when the registry is away
//   drafts/                  what is being made; emptied at the start
//
// What is not in use goes, but for the images that were asked for last.

import { createHash, randomBytes } from 'node:crypto'
import {
  access,
  link,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { compareText } from '#kit/compare-text.ts'
import { makeDirectory } from '#kit/make-directory.ts'
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
import { LayerError, type LayerLimits, type UnpackedLayer, unpackLayer } from './layer.ts'

export interface UnpackedImage {
  readonly directory: string
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
/** One that was asked for just now may be about to be used, milliseconds. */
const grace = 600_000
const pullTimeout = 600_000
/** Directories of lower layers that upper ones take away. */
const mostTaken = 1000
/** Hard links that are made at a time. */
const atATime = 16

interface ImageFile {
  readonly layers: readonly string[]
  /** Below the root. */
  readonly workingDirectory: string
  readonly environment: Readonly<Record<string, string>>
}

export interface UnpackedImagesOptions {
  /** Ours alone. */
  readonly directory: string
  readonly registry: Registry
  readonly limits?: LayerLimits
  readonly spare?: number
}

export class UnpackedImages {
  readonly #options: UnpackedImagesOptions
  readonly #limits: LayerLimits
  readonly #closing = new AbortController()
  /** What is being made, by its name. */
  readonly #making = new Map<string, Promise<unknown>>()
  #users = 0
  #sweeping: Promise<void> = Promise.resolve()

  private constructor(options: UnpackedImagesOptions) {
    this.#options = options
    this.#limits = options.limits ?? standardLimits
  }

  static async open(options: UnpackedImagesOptions): Promise<UnpackedImages> {
    await rm(join(options.directory, 'drafts'), { recursive: true, force: true })
    for (const name of ['drafts', 'layers', 'images', 'references']) makeDirectory(join(options.directory, name), 0o700)
    return new UnpackedImages(options)
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
    this.#sweeping = this.#sweep(inUse).catch(() => {})
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
    const place = join(this.#options.directory, 'images', hexOf(digest))
    const known = await readImage(place)
    const file = known ?? (await this.#once(place, () => this.#make(reference.repository, digest, place, signal)))
    await utimes(join(place, 'image.json'), new Date(), new Date())
    return { directory: join(place, 'root', file.workingDirectory), environment: file.environment }
  }

  /** What is asked for by its digest needs no registry when it is here. */
  async #digestOf(image: string, { repository, version }: Reference, signal: AbortSignal): Promise<string> {
    if (isDigest(version)) return version
    const file = join(this.#options.directory, 'references', createHash('sha256').update(image).digest('hex'))
    try {
      const found = await this.#options.registry.manifest(repository, version, signal)
      if (found === null) throw new ImageError('missing', `image ${image} not found`)
      await this.#write(file, `${found.digest}\n`)
      return found.digest
    } catch (error) {
      const isAway = error instanceof RegistryError && (error.kind === 'unreachable' || (error.status ?? 0) >= 500)
      const known = isAway ? (await readFile(file, 'utf8').catch(() => '')).trim() : ''
      if (!isDigest(known)) throw error
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
    const place = join(this.#options.directory, 'layers', hexOf(diffId))
    if ((await readLayer(place)) !== null) return
    await this.#once(place, () =>
      this.#draft(place, async draft => {
        const root = join(draft, 'root')
        await mkdir(root)
        const source = await this.#options.registry.blob(repository, descriptor, signal)
        const { mediaType } = descriptor
        const layer = await unpackLayer(source, { mediaType, diffId }, root, this.#limits, signal)
        await writeFile(join(draft, 'layer.json'), JSON.stringify(layer))
      }),
    )
  }

  /** The uppermost layer that has a path has it. */
  async #assemble(config: ImageConfig, place: string): Promise<ImageFile> {
    const layers = config.layers.map(hexOf)
    const merged = new Merged()
    let bytes = 0
    for (const hex of layers) {
      const directory = join(this.#options.directory, 'layers', hex)
      const layer = await readLayer(directory)
      if (layer === null) throw new Error(`layer ${hex} went away`)
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
    const file: ImageFile = { layers, workingDirectory, environment: environmentOf(config.environment) }
    await this.#draft(place, async draft => {
      await merged.make(join(draft, 'root'))
      await writeFile(join(draft, 'image.json'), JSON.stringify(file))
    })
    return file
  }

  /** Made aside, and there as a whole or not at all. */
  async #draft(place: string, make: (draft: string) => Promise<void>): Promise<void> {
    const draft = join(this.#options.directory, 'drafts', randomBytes(8).toString('hex'))
    try {
      await mkdir(draft)
      await make(draft)
      await rename(draft, place)
    } catch (error) {
      await rm(draft, { recursive: true, force: true })
      throw error
    }
  }

  async #write(file: string, text: string): Promise<void> {
    const draft = join(this.#options.directory, 'drafts', randomBytes(8).toString('hex'))
    await writeFile(draft, text)
    await rename(draft, file)
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

  async #sweep(inUse: ReadonlySet<string>): Promise<void> {
    const images = join(this.#options.directory, 'images')
    const all: { readonly hex: string; readonly asked: number; readonly layers: readonly string[] }[] = []
    for (const hex of await readdir(images)) {
      const place = join(images, hex)
      const [file, status] = [await readImage(place), await stat(join(place, 'image.json')).catch(() => null)]
      if (file !== null && status !== null) all.push({ hex, asked: status.mtimeMs, layers: file.layers })
    }
    all.sort((a, b) => b.asked - a.asked)
    let spare = this.#options.spare ?? standardSpare
    const keptLayers = new Set<string>()
    const kept = new Set<string>()
    const now = Date.now()
    for (const { hex, asked, layers } of all) {
      const root = join(images, hex, 'root')
      const isUsed = [...inUse].some(directory => directory === root || directory.startsWith(`${root}/`))
      if (!isUsed && now - asked > grace && spare-- <= 0) continue
      kept.add(hex)
      for (const layer of layers) keptLayers.add(layer)
    }
    await this.#removeBut('images', kept)
    await this.#removeBut('layers', keptLayers)
    const references = join(this.#options.directory, 'references')
    for (const name of await readdir(references)) {
      const digest = (await readFile(join(references, name), 'utf8')).trim()
      if (!isDigest(digest) || !kept.has(hexOf(digest))) await rm(join(references, name), { force: true })
    }
  }

  async #removeBut(kind: 'images' | 'layers', kept: ReadonlySet<string>): Promise<void> {
    const directory = join(this.#options.directory, kind)
    for (const hex of await readdir(directory)) {
      if (kept.has(hex)) continue
      const draft = join(this.#options.directory, 'drafts', randomBytes(8).toString('hex'))
      // Out of sight at once, however long its removal takes.
      await rename(join(directory, hex), draft)
      await rm(draft, { recursive: true, force: true })
    }
  }
}

type Kind = 'directory' | 'file' | 'symlink'

/** Layers, one on top of the other. */
class Merged {
  readonly #entries = new Map<string, { readonly kind: Kind; readonly file: string }>()
  #taken = 0

  kindOf(path: string): Kind | null {
    return this.#entries.get(path)?.kind ?? null
  }

  /** One that ends with a slash: what is in it. */
  takeAway(path: string): void {
    if (!path.endsWith('/') && path !== '' && this.kindOf(path) !== 'directory') {
      this.#entries.delete(path)
      return
    }
    // Each takes a look at everything.
    if (++this.#taken > mostTaken) throw new LayerError('it takes away too many directories of others')
    const above = path.endsWith('/') || path === '' ? path : `${path}/`
    if (!path.endsWith('/')) this.#entries.delete(path)
    for (const one of this.#entries.keys()) if (one.startsWith(above)) this.#entries.delete(one)
  }

  async add(root: string, below = ''): Promise<void> {
    for (const entry of await readdir(join(root, below), { withFileTypes: true })) {
      const path = below === '' ? entry.name : `${below}/${entry.name}`
      const kind = entry.isDirectory() ? 'directory' : entry.isSymbolicLink() ? 'symlink' : 'file'
      const before = this.kindOf(path)
      if (before === 'directory' && kind !== 'directory') this.takeAway(path)
      this.#entries.set(path, { kind, file: join(root, path) })
      if (kind === 'directory') await this.add(root, path)
    }
  }

  async make(root: string): Promise<void> {
    await mkdir(root)
    const entries = [...this.#entries].sort(([a], [b]) => compareText(a, b))
    for (const [path, { kind }] of entries) if (kind === 'directory') await mkdir(join(root, path))
    const rest = entries.filter(([, { kind }]) => kind !== 'directory')
    const work = async (): Promise<void> => {
      for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
        const [path, { kind, file }] = next
        if (kind === 'symlink') await symlink(await readlink(file), join(root, path))
        else await link(file, join(root, path))
      }
    }
    await Promise.all(Array.from({ length: atATime }, work))
  }
}

async function readImage(place: string): Promise<ImageFile | null> {
  return await readJson<ImageFile>(join(place, 'image.json'))
}

async function readLayer(place: string): Promise<UnpackedLayer | null> {
  return await readJson<UnpackedLayer>(join(place, 'layer.json'))
}

async function readJson<T>(file: string): Promise<T | null> {
  try {
    await access(file)
    return JSON.parse(await readFile(file, 'utf8')) as T
  } catch {
    return null
  }
}

function hexOf(digest: string): string {
  return digest.slice(digest.indexOf(':') + 1)
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
