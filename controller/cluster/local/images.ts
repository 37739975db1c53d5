// What a build calls its image → a directory that its processes can run in.

import { stat } from 'node:fs/promises'
import { isAbsolute } from 'node:path'
import { ClusterError } from '../cluster.ts'

export interface ImageDirectory {
  readonly directory: string
  /**
   * What has `directory` in it, and is shared with whoever else runs the image: a process runs in a copy of it. Null:
   * it runs in `directory` itself.
   */
  readonly root: string | null
  /** What its processes are given unless the app's config says otherwise. */
  readonly environment: Readonly<Record<string, string>>
}

export interface Images {
  /** The directory with the app in it. Throws ClusterError `failed`: `image X not found`. */
  unpack(image: string): Promise<ImageDirectory>

  /** Directories that are none of these may go: nothing runs in them. */
  sweep(inUse: ReadonlySet<string>): Promise<void>

  close(): Promise<void>
}

/** Images that are directories already, and of whoever named them: processes run in them as they are. */
export const directoryImages: Images = {
  async unpack(image) {
    const found = isAbsolute(image) ? await stat(image).catch(() => null) : null
    if (!found?.isDirectory()) throw new ClusterError('failed', `image ${image} not found`)
    return { directory: image, root: null, environment: {} }
  },
  async sweep() {},
  async close() {},
}
