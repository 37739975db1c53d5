// Where unpacked images are kept:
//
//   layers/HEX/root/         files of a layer, by the digest of its archive
//   layers/HEX/layer.json    what it takes away from the layers below
//   images/HEX/root/         an image, by the digest of its manifest
//   images/HEX/image.json    its layers, working directory and environment; its time is when it was asked for last
//   references/HEX           the digest that a name had when it was looked up last, for when the registry is away
//   drafts/                  what is being made; emptied at the start
//
// Everything is made in `drafts/`, and there as a whole or not at all.

import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeDirectory } from '#kit/make-directory.ts'
import { isDigest } from '#kit/oci/reference.ts'
import type { UnpackedLayer } from './layer.ts'

/** One that was asked for just now may be about to be used, milliseconds. */
const grace = 600_000

export interface ImageFile {
  readonly layers: readonly string[]
  /** Below the root. */
  readonly workingDirectory: string
  readonly environment: Readonly<Record<string, string>>
}

export class ImageFolder {
  readonly #directory: string

  private constructor(directory: string) {
    this.#directory = directory
  }

  /** `directory` is ours alone. */
  static async open(directory: string): Promise<ImageFolder> {
    await rm(join(directory, 'drafts'), { recursive: true, force: true })
    for (const name of ['drafts', 'layers', 'images', 'references']) makeDirectory(join(directory, name), 0o700)
    return new ImageFolder(directory)
  }

  /** Where the image with this digest is, or will be. */
  imagePlace(digest: string): string {
    return join(this.#directory, 'images', hexOf(digest))
  }

  /** Where the layer with this digest is, or will be. */
  layerPlace(digest: string): string {
    return join(this.#directory, 'layers', hexOf(digest))
  }

  async readImage(place: string): Promise<ImageFile | null> {
    return await readJson<ImageFile>(join(place, 'image.json'))
  }

  async readLayer(place: string): Promise<UnpackedLayer | null> {
    return await readJson<UnpackedLayer>(join(place, 'layer.json'))
  }

  /** Now, for who sweeps. */
  async asked(place: string): Promise<void> {
    await utimes(join(place, 'image.json'), new Date(), new Date())
  }

  /** The digest that a name had last; null: not known. */
  async reference(image: string): Promise<string | null> {
    const digest = (await readFile(this.#referenceFile(image), 'utf8').catch(() => '')).trim()
    return isDigest(digest) ? digest : null
  }

  async keepReference(image: string, digest: string): Promise<void> {
    const draft = this.#newDraft()
    await writeFile(draft, `${digest}\n`)
    await rename(draft, this.#referenceFile(image))
  }

  /** Made aside, and there as a whole or not at all. */
  async draft(place: string, make: (draft: string) => Promise<void>): Promise<void> {
    const draft = this.#newDraft()
    try {
      await mkdir(draft)
      await make(draft)
      await rename(draft, place)
    } catch (error) {
      await rm(draft, { recursive: true, force: true })
      throw error
    }
  }

  /** Removes what is neither in use, asked for just now, nor one of the `spare` that were asked for last. */
  async sweep(inUse: ReadonlySet<string>, spare: number): Promise<void> {
    const images = join(this.#directory, 'images')
    const all: { readonly hex: string; readonly asked: number; readonly layers: readonly string[] }[] = []
    for (const hex of await readdir(images)) {
      const place = join(images, hex)
      const [file, status] = [await this.readImage(place), await stat(join(place, 'image.json')).catch(() => null)]
      if (file !== null && status !== null) all.push({ hex, asked: status.mtimeMs, layers: file.layers })
    }
    all.sort((a, b) => b.asked - a.asked)
    let left = spare
    const keptLayers = new Set<string>()
    const kept = new Set<string>()
    const now = Date.now()
    for (const { hex, asked, layers } of all) {
      const root = join(images, hex, 'root')
      const isUsed = [...inUse].some(directory => directory === root || directory.startsWith(`${root}/`))
      if (!isUsed && now - asked > grace && left-- <= 0) continue
      kept.add(hex)
      for (const layer of layers) keptLayers.add(layer)
    }
    await this.#removeBut('images', kept)
    await this.#removeBut('layers', keptLayers)
    const references = join(this.#directory, 'references')
    for (const name of await readdir(references)) {
      const digest = (await readFile(join(references, name), 'utf8')).trim()
      if (!isDigest(digest) || !kept.has(hexOf(digest))) await rm(join(references, name), { force: true })
    }
  }

  async #removeBut(kind: 'images' | 'layers', kept: ReadonlySet<string>): Promise<void> {
    const directory = join(this.#directory, kind)
    for (const hex of await readdir(directory)) {
      if (kept.has(hex)) continue
      const draft = this.#newDraft()
      // Out of sight at once, however long its removal takes.
      await rename(join(directory, hex), draft)
      await rm(draft, { recursive: true, force: true })
    }
  }

  #newDraft(): string {
    return join(this.#directory, 'drafts', randomBytes(8).toString('hex'))
  }

  #referenceFile(image: string): string {
    return join(this.#directory, 'references', createHash('sha256').update(image).digest('hex'))
  }
}

async function readJson<T>(file: string): Promise<T | null> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as T
  } catch {
    return null
  }
}

/** What a digest is called here. */
export function hexOf(digest: string): string {
  return digest.slice(digest.indexOf(':') + 1)
}
