// What a folder looks like, and the names of files in it:
//
//   lock                   who uses the folder has it locked
//   objects/               an object `a/b` is the file `a/b`; directories are there for what is in them only
//   aside/                 what is being written; all of it is left over when nobody has the lock
//   uploads/ID/            an upload
//   uploads/ID/data        its octets, of which those beyond the safe ones may be anything
//   uploads/ID/safe        how many are safe, in decimal; not there: none
//
// Where a file system takes `A` and `a` for the same name, two keys would be one file. So the names of files have no capitals:
// a part that has some is written in small letters, with `^` and a mask after it which says where they were, five letters to a
// digit: `README` is `readme^v1`. `^` is in no key, and a part of 200 octets becomes a name of 241 at most.

import { join } from 'node:path'
import { isKey } from '../keys.ts'

export class FolderPaths {
  readonly root: string
  readonly objects: string
  readonly aside: string
  readonly uploads: string
  readonly lock: string

  constructor(root: string) {
    this.root = root
    this.objects = join(root, 'objects')
    this.aside = join(root, 'aside')
    this.uploads = join(root, 'uploads')
    this.lock = join(root, 'lock')
  }

  /** Of a checked key. */
  object(key: string): string {
    return join(this.objects, ...key.split('/').map(nameOf))
  }

  upload(id: string): string {
    return join(this.uploads, id)
  }
}

/** The name of the file or directory for a part of a key. */
export function nameOf(part: string): string {
  const small = part.toLowerCase()
  if (small === part) return part
  let mask = ''
  for (let start = 0; start < part.length; start += 5) {
    let bits = 0
    for (let i = 0; i < 5 && start + i < part.length; i++) if (part[start + i] !== small[start + i]) bits |= 1 << i
    mask += bits.toString(32)
  }
  return `${small}^${mask.replace(/0+$/, '')}`
}

/** The part of a key that has this name; null: we did not make it. */
export function partOf(name: string): string | null {
  const [small, mask, ...rest] = name.split('^')
  if (rest.length > 0) return null
  let part = mask === undefined ? small! : ''
  for (let i = 0; mask !== undefined && i < small!.length; i++) {
    const bits = Number.parseInt(mask[Math.floor(i / 5)] ?? '0', 32)
    part += bits & (1 << (i % 5)) ? small![i]!.toUpperCase() : small![i]
  }
  return isKey(part) && nameOf(part) === name ? part : null
}
