// Images as the local cluster asks for them: a name in the registry, or as ever an absolute directory.

import { isAbsolute } from 'node:path'
import { ClusterError } from '../cluster/cluster.ts'
import { directoryImages, type ImageDirectory, type Images } from '../cluster/local/images.ts'
import { ImageError, type UnpackedImages } from './unpacked-images.ts'

export class ClusterImages implements Images {
  readonly #unpacked: UnpackedImages

  constructor(unpacked: UnpackedImages) {
    this.#unpacked = unpacked
  }

  async unpack(image: string): Promise<ImageDirectory> {
    if (isAbsolute(image)) return await directoryImages.unpack(image)
    try {
      return await this.#unpacked.unpack(image)
    } catch (error) {
      if (!(error instanceof ImageError)) throw error
      const kind = error.kind === 'unreachable' ? 'unreachable' : 'failed'
      throw new ClusterError(kind, error.message, { cause: error })
    }
  }

  async sweep(inUse: ReadonlySet<string>): Promise<void> {
    await this.#unpacked.sweep(inUse)
  }

  async close(): Promise<void> {
    await this.#unpacked.close()
  }
}
