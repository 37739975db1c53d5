// Layers of an image, one on top of the other, and the files that come of it: hard links to those of the layers.

import { link, mkdir, readdir, readlink, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { compareText } from '#kit/compare-text.ts'
import { each } from '#kit/each.ts'
import { LayerError } from './layer.ts'

/** Directories of lower layers that upper ones take away. */
const mostTaken = 1000
/** Hard links that are made at a time. */
const atATime = 16

type Kind = 'directory' | 'file' | 'symlink'

/** The uppermost layer that has a path has it. */
export class MergedLayers {
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
    await each(
      rest,
      async ([path, { kind, file }]) => {
        if (kind === 'symlink') await symlink(await readlink(file), join(root, path))
        else await link(file, join(root, path))
      },
      atATime,
    )
  }
}
