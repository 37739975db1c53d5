// Tells of changes in directories as the kernel does (inotify). It may not be able to: then `isFailing`, and whoever uses
// it looks more often by itself.

import { type FSWatcher, watch } from 'node:fs'

export class Watches {
  readonly #watchers = new Map<string, FSWatcher>()
  #isFailing = false

  /** The kernel's bound on watches is reached, or there is no inotify here. */
  get isFailing(): boolean {
    return this.#isFailing
  }

  /** Once for each directory. `hear`: true when names in it may have changed, false when a file did. */
  add(directory: string, hear: (isNames: boolean) => void): void {
    if (this.#watchers.has(directory)) return
    try {
      const watcher = watch(directory, { persistent: false }, event => hear(event === 'rename'))
      this.#watchers.set(directory, watcher)
      watcher.on('error', () => this.remove(directory))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'ENOENT' && code !== 'ENOTDIR') this.#isFailing = true
    }
  }

  remove(directory: string): void {
    this.#watchers.get(directory)?.close()
    this.#watchers.delete(directory)
  }

  close(): void {
    for (const directory of [...this.#watchers.keys()]) this.remove(directory)
  }
}
