// The containers that are read: those with a directory below that of the kubelet's logs whose pod the API server knows and
// whose lines are of an app. A name in a directory says nothing by itself; it is compared with what the API server says.

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Attribute, attributionOf, type PodFacts } from './attribution.ts'
import { ContainerTail, type TailObserver } from './container-tail.ts'
import type { PodBook } from './pods.ts'
import type { SavedPosition } from './positions.ts'
import type { Watches } from './watches.ts'

export interface Container {
  /** `NAMESPACE_NAME_UID/CONTAINER`. */
  readonly key: string
  readonly tail: ContainerTail
  pod: PodFacts
  attribute: Attribute
  /** `finished`: all is read, and nothing more will come; `unread`: its pod has lost the labels for which it was read. */
  state: 'read' | 'finished' | 'unread'
}

export interface ContainersOptions {
  /** `/var/log/pods`. */
  readonly root: string
  readonly platformNamespace: string
  readonly book: PodBook
  readonly watches: Watches
  readonly observer: TailObserver
  readonly saved: ReadonlyMap<string, SavedPosition>
  /** There may be something to read. */
  readonly onChange: (container: Container) => void
  /** Pods or containers may have come or gone: to be answered with a `scan`. */
  readonly onNames: () => void
}

export class Containers {
  readonly #options: ContainersOptions
  readonly #containers = new Map<string, Container>()
  readonly #saved: Map<string, SavedPosition>
  /** Directories of pods that are watched. */
  #pods: ReadonlySet<string> = new Set()

  constructor(options: ContainersOptions) {
    this.#options = options
    this.#saved = new Map(options.saved)
  }

  get all(): ReadonlyMap<string, Container> {
    return this.#containers
  }

  /** Compares directories and pods with what is read. Not to be called twice at a time. */
  async scan(): Promise<void> {
    const { root, book, watches, platformNamespace, onNames, onChange } = this.#options
    watches.add(root, isNames => isNames && onNames())
    const names = await directoriesOf(root)
    const uids = new Set<string>()
    const pods = new Set<string>()
    const seen = new Set<string>()
    for (const name of names) {
      const uid = name.slice(name.lastIndexOf('_') + 1)
      uids.add(uid)
      const pod = book.find(uid)
      if (pod === null || name !== `${pod.namespace}_${pod.name}_${uid}` || !this.#mayBeRead(pod)) continue
      pods.add(name)
      watches.add(join(root, name), isNames => isNames && onNames())
      for (const container of await directoriesOf(join(root, name))) {
        const key = `${name}/${container}`
        if (this.#see(key, pod, container)) seen.add(key)
      }
    }
    for (const name of this.#pods) if (!pods.has(name)) watches.remove(join(root, name))
    this.#pods = pods
    for (const [key, container] of this.#containers) {
      if (seen.has(key)) continue
      const isLabelled = attributionOf(book.find(container.pod.uid) ?? container.pod, nameOf(key), platformNamespace)
      if (isLabelled === null) container.state = 'unread'
      container.tail.touch()
      onChange(container)
    }
    book.sweep(uid => uids.has(uid))
  }

  /** Positions of all that are read, and of those that were found in the file and whose pods are not known yet. */
  positions(): Map<string, SavedPosition> {
    const positions = new Map(this.#saved)
    for (const [key, { tail }] of this.#containers) {
      const { saved } = tail
      if (saved !== null) positions.set(key, saved)
    }
    return positions
  }

  /** Of containers that are not there any more nothing needs to be kept. */
  async forgetSaved(): Promise<void> {
    const { root } = this.#options
    const pods = new Set(await directoriesOf(root))
    for (const key of this.#saved.keys()) if (!pods.has(key.slice(0, key.indexOf('/')))) this.#saved.delete(key)
  }

  async remove(container: Container): Promise<void> {
    const { root, watches } = this.#options
    this.#containers.delete(container.key)
    watches.remove(join(root, container.key))
    await container.tail.release()
  }

  #mayBeRead(pod: PodFacts): boolean {
    return pod.namespace === this.#options.platformNamespace || pod.labels.heritage === 'deis'
  }

  /** False when it is not read. */
  #see(key: string, pod: PodFacts, name: string): boolean {
    const { root, platformNamespace, watches, observer, onChange } = this.#options
    const known = this.#containers.get(key)
    if (known?.pod === pod) return true
    const attribute = attributionOf(pod, name, platformNamespace)
    if (attribute === null) return false
    if (known !== undefined) {
      Object.assign(known, { pod, attribute, state: known.state === 'unread' ? 'read' : known.state })
      return true
    }
    const tail = new ContainerTail(join(root, key), this.#saved.get(key) ?? null, observer)
    this.#saved.delete(key)
    const container: Container = { key, tail, pod, attribute, state: 'read' }
    this.#containers.set(key, container)
    watches.add(join(root, key), isNames => {
      if (isNames) tail.touch()
      onChange(container)
    })
    onChange(container)
    return true
  }
}

function nameOf(key: string): string {
  return key.slice(key.indexOf('/') + 1)
}

/** Names of directories, not of links to some; none when there is no such directory. */
async function directoriesOf(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true })
    return entries.filter(entry => entry.isDirectory()).map(({ name }) => name)
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return []
    throw error
  }
}
