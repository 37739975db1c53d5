// Open files of the log store: those used last stay open, however many apps there are.

import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'

export type OpenFile = (path: string, flags: number) => Promise<FileHandle>

/** Only for us: lines of apps may hold what nobody else is to read. */
export const openPrivate: OpenFile = (path, flags) => open(path, flags, 0o600)

interface Entry {
  readonly opening: Promise<FileHandle>
  users: number
  /** To be closed as soon as nobody uses it. */
  unwanted: boolean
}

export class Files {
  readonly #most: number
  readonly #open: OpenFile
  /** Used last at the end. */
  readonly #entries = new Map<string, Entry>()
  readonly #closing = new Set<Promise<unknown>>()

  /** `most`: how many files stay open that nobody uses just now. */
  constructor(most: number, open: OpenFile) {
    this.#most = most
    this.#open = open
  }

  /** Opens the file for appending unless it is open. `create`: makes it when it is missing. */
  async use<T>(path: string, create: boolean, work: (file: FileHandle) => Promise<T>): Promise<T> {
    const entry = this.#entries.get(path) ?? this.#entryOf(path, create)
    this.#entries.delete(path)
    this.#entries.set(path, entry)
    entry.users++
    try {
      return await work(await entry.opening)
    } finally {
      entry.users--
      if (entry.unwanted && entry.users === 0) this.#close(entry)
      this.#trim()
    }
  }

  /** The file will not be used any more: it is closed as soon as it can be. */
  forget(path: string): void {
    const entry = this.#entries.get(path)
    if (entry === undefined) return
    this.#entries.delete(path)
    entry.unwanted = true
    if (entry.users === 0) this.#close(entry)
  }

  async close(): Promise<void> {
    for (const path of [...this.#entries.keys()]) this.forget(path)
    await Promise.all(this.#closing)
  }

  #entryOf(path: string, create: boolean): Entry {
    const flags = constants.O_RDWR | constants.O_APPEND | (create ? constants.O_CREAT : 0)
    const entry: Entry = { opening: this.#open(path, flags), users: 0, unwanted: false }
    // Tried again by the next who wants it.
    entry.opening.catch(() => {
      if (this.#entries.get(path) === entry) this.#entries.delete(path)
    })
    return entry
  }

  #trim(): void {
    if (this.#entries.size <= this.#most) return
    for (const [path, { users }] of this.#entries) {
      if (users === 0) this.forget(path)
      if (this.#entries.size <= this.#most) return
    }
  }

  #close({ opening }: Entry): void {
    const closed = opening
      .then(file => file.close())
      .catch(() => {})
      .finally(() => this.#closing.delete(closed))
    this.#closing.add(closed)
  }
}
