// What a process can write without anybody else's seeing it: a copy of its image, and a place for temporary files, made
// before it starts and gone when it has ended, as with containers. Images are shared by all that run them, of whatever
// release and app, and nobody writes there.
//
//   NAME/root/   the image; as a copy on write where the file system can
//   NAME/tmp/    TMPDIR
//
// NAME is short, since paths of Unix sockets have to be. What a killed controller left behind goes at the next start.

import { mkdir, mkdtemp, readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { isDiskFull } from '#kit/full-disk.ts'
import { makeDirectory } from '#kit/make-directory.ts'
import { removeTree } from '#kit/remove-tree.ts'
import { Turnstile } from '#kit/turnstile.ts'
import type { ImageDirectory } from './images.ts'
import { copyTree } from './tree.ts'

/** Copies that are made at a time: more would hold up each other, and other work of this process with files. */
const atATime = 2

/** Of one process. Disposed when it has ended: then they are gone. */
export interface Files extends AsyncDisposable {
  /** Where it runs, HOME. */
  readonly directory: string
  /** TMPDIR. */
  readonly temporary: string
}

export class OwnFiles {
  readonly #directory: string
  readonly #turnstile = new Turnstile(atATime)

  private constructor(directory: string) {
    this.#directory = directory
  }

  /** `directory` is ours alone; whoever ran in what is left there has ended. Throws what the file system says. */
  static async open(directory: string): Promise<OwnFiles> {
    makeDirectory(directory, 0o700)
    for (const name of await readdir(directory)) await remove(join(directory, name))
    return new OwnFiles(directory)
  }

  /** Throws what the file system says, in our words if the disk is full, or the reason of the signal; then nothing is left. */
  async make(image: Pick<ImageDirectory, 'directory' | 'root'>, signal: AbortSignal): Promise<Files> {
    await this.#turnstile.enter(signal)
    try {
      return await this.#make(image, signal)
    } catch (error) {
      if (!isDiskFull(error)) throw error
      throw new Error('there is no room for its files: the disk is full', { cause: error })
    } finally {
      this.#turnstile.leave()
    }
  }

  async #make({ directory, root }: Pick<ImageDirectory, 'directory' | 'root'>, signal: AbortSignal): Promise<Files> {
    const place = await mkdtemp(join(this.#directory, '/'))
    try {
      const [temporary, copy] = [join(place, 'tmp'), join(place, 'root')]
      await mkdir(temporary)
      if (root !== null) await copyTree(root, copy, signal)
      return {
        directory: root === null ? directory : join(copy, relative(root, directory)),
        temporary,
        [Symbol.asyncDispose]: () => remove(place),
      }
    } catch (error) {
      await remove(place)
      throw error
    }
  }
}

/** As far as it can be: who left the group of a process may still be writing. The next start goes on with it. */
async function remove(place: string): Promise<void> {
  await removeTree(place).catch(() => {})
}
