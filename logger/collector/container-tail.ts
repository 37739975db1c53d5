// What one container writes, in its order: file after file of its directory, from a position on.
//
//   0.log.20261129-043445 ──▶ 0.log.20261129-051200 ──▶ 0.log ──▶ 1.log (started again)
//
// The kubelet renames a file when it is long, compresses the one before, and removes what is older. The file that is read
// stays open and is read to its end, whatever becomes of its name; those after it are opened when it is their turn.
//
// A position is settled when what stands before it is surely with the logger. Files from there on are kept open, so that
// reading can go back.

import type { FileHandle } from 'node:fs/promises'
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { parseRecord } from './cri-record.ts'
import { compareLogNames, type LogName, parseLogName } from './log-names.ts'
import { identityOf, openLog } from './open-log.ts'
import type { SavedPosition } from './positions.ts'
import { type HearLine, RecordJoiner } from './record-joiner.ts'

/** Milliseconds: when the next file is there, so long the runtime may still write the end of a line to the one before. */
const linger = 250

export interface TailObserver {
  /** A file that went before it was read to its end; `octets`: how much of it, as far as that is known. */
  lost(file: string, octets: number): void
  /** A line of a file that is no record, or only the beginning of one. */
  malformed(): void
  /** A record longer than can be read at a time: its end is left out. */
  cut(): void
}

export type TurnEnd =
  | { readonly kind: 'more' }
  /** Until something changes. */
  | { readonly kind: 'idle' }
  /** To be looked at again after so many milliseconds. */
  | { readonly kind: 'later'; readonly after: number }
  /** The directory is gone, and all that was in it is read. */
  | { readonly kind: 'finished' }

interface Entry extends LogName {
  readonly name: string
  readonly identity: string
  readonly size: number
}

interface LogFile {
  name: string
  readonly start: number
  /** Empty: the file is gone, and another has it. */
  identity: string
  size: number
  head: string
  handle: FileHandle | null
  /** Of the first record that is not read. */
  offset: number
  /** Octets from there on that belong to a record which is too long. */
  skipped: number
  /** When it was first seen. */
  readonly seen: number
}

/** Before it everything is read. */
export interface Place {
  readonly file: LogFile
  readonly offset: number
}

export class ContainerTail {
  readonly #directory: string
  readonly #observer: TailObserver
  readonly #now: () => number
  readonly #joiner = new RecordJoiner<Place>()
  #saved: SavedPosition | null
  /** The first is where the settled position is. */
  #files: LogFile[] = []
  /** Index of the file that is read. */
  #at = 0
  /** Index of the last one whose turn has come. Those after it are what the directory has. */
  #reached = 0
  #settled: Place | null = null
  #isStale = true
  #isGone = false

  /** `saved`: where to begin; null: with all that is there. */
  constructor(
    directory: string,
    saved: SavedPosition | null,
    observer: TailObserver,
    now: () => number = () => performance.now(),
  ) {
    this.#directory = directory
    this.#saved = saved
    this.#observer = observer
    this.#now = now
  }

  /** Names in the directory may have changed. */
  touch(): void {
    this.#isStale = true
  }

  /** Reads once, as much as the buffer takes. After its last `hear` it waits for nothing, so that positions fit. */
  async turn(buffer: Buffer, hear: HearLine): Promise<TurnEnd> {
    if (this.#isStale) await this.#scan()
    const file = this.#files[this.#at]
    if (file === undefined) return { kind: this.#isGone ? 'finished' : 'idle' }
    if (file.handle === null && !(await this.#open(file))) return this.#withoutFile(file)
    const { bytesRead } = await file.handle!.read(buffer, 0, buffer.length, file.offset + file.skipped)
    const isFull = bytesRead === buffer.length
    if (bytesRead > 0 && this.#take(file, buffer.subarray(0, bytesRead), isFull, hear))
      return { kind: isFull || this.#next !== undefined || this.#isGone ? 'more' : 'idle' }
    return this.#atEnd(file, hear)
  }

  /** Null: there is nothing to go on from yet. */
  get place(): Place | null {
    const file = this.#files[this.#at]
    if (file === undefined) return null
    let first: Place = { file, offset: file.offset }
    for (const place of this.#joiner.places()) if (this.#isBefore(place, first)) first = place
    return first
  }

  /** Everything before is with the logger: reading never goes back behind it. */
  settle(place: Place): void {
    this.#settled = place
    while (this.#files.length > 0 && this.#files[0] !== place.file) {
      const [done] = this.#files.splice(0, 1)
      this.#at--
      this.#reached--
      void close(done!).catch(() => {})
    }
  }

  get isSettled(): boolean {
    const { place } = this
    return place === null || (place.file === this.#settled?.file && place.offset === this.#settled.offset)
  }

  /** Reading begins again where it is settled. */
  rewind(): void {
    if (this.#settled === null) return
    this.#joiner.clear()
    this.#at = 0
    for (const file of this.#files) {
      file.offset = file === this.#settled.file ? this.#settled.offset : 0
      file.skipped = 0
    }
  }

  /** The settled position, to be kept over a restart. */
  get saved(): SavedPosition | null {
    if (this.#settled === null) return this.#saved
    const { file, offset } = this.#settled
    return { start: file.start, identity: file.identity, head: file.head, offset }
  }

  get openFiles(): number {
    return this.#files.reduce((count, { handle }) => count + (handle === null ? 0 : 1), 0)
  }

  /** Closes what is open; it is opened again when there is more to read. */
  async release(): Promise<void> {
    for (const file of this.#files) await close(file)
  }

  get #next(): LogFile | undefined {
    return this.#files[this.#at + 1]
  }

  #isBefore(a: Place, b: Place): boolean {
    return a.file === b.file ? a.offset < b.offset : this.#files.indexOf(a.file) < this.#files.indexOf(b.file)
  }

  async #scan(): Promise<void> {
    this.#isStale = false
    const listed = await this.#list()
    this.#isGone = listed === null
    const entries = listed ?? []
    const last = this.#files[this.#reached]
    if (last === undefined) {
      this.#begin(entries)
      return
    }
    const index = last.identity === '' ? -1 : entries.findIndex(({ identity }) => identity === last.identity)
    if (index >= 0) last.name = entries[index]!.name
    // What is not found was compressed or removed, and the older ones before it.
    const after = index >= 0 ? entries.slice(index + 1) : entries.filter(({ start }) => start >= last.start)
    const before = this.#files.splice(this.#reached + 1)
    for (const entry of after) {
      const known = before.find(file => file.identity === entry.identity && isSameLog(file.name, entry.name))
      if (known === undefined) this.#files.push(this.#fileOf(entry))
      else this.#files.push(Object.assign(known, { name: entry.name, size: entry.size }))
    }
    for (const file of before)
      if (!this.#files.includes(file)) this.#observer.lost(join(this.#directory, file.name), file.size)
  }

  #begin(entries: readonly Entry[]): void {
    if (entries.length === 0) return
    const saved = this.#saved
    const index = entries.findIndex(({ identity, start }) => identity === saved?.identity && start === saved.start)
    const rest = index >= 0 ? entries.slice(index) : entries.filter(({ start }) => start >= (saved?.start ?? 0))
    if (saved !== null && index < 0) this.#observer.lost(join(this.#directory, `${saved.start}.log`), 0)
    this.#files = rest.map(entry => this.#fileOf(entry))
    const [first] = this.#files
    if (first === undefined) return
    this.#saved = null
    if (saved !== null && index >= 0) Object.assign(first, { offset: saved.offset, head: saved.head })
    this.#settled = { file: first, offset: first.offset }
  }

  /** In the order of reading; null: there is no directory. */
  async #list(): Promise<Entry[] | null> {
    try {
      const names = (await readdir(this.#directory)).flatMap(name => {
        const parsed = parseLogName(name)
        return parsed === null ? [] : [{ name, ...parsed }]
      })
      const entries: Entry[] = []
      for (const one of names.sort(compareLogNames)) {
        const stat = await lstat(join(this.#directory, one.name), { bigint: true }).catch(noFile)
        if (stat?.isFile()) entries.push({ ...one, identity: identityOf(stat), size: Number(stat.size) })
      }
      return entries
    } catch (error) {
      return noFile(error)
    }
  }

  #fileOf({ name, start, identity, size }: Entry): LogFile {
    return { name, start, identity, size, head: '', handle: null, offset: 0, skipped: 0, seen: this.#now() }
  }

  /** False when it is not there by its name, or not it. */
  async #open(file: LogFile): Promise<boolean> {
    const opened = await openLog(join(this.#directory, file.name), file.identity)
    if (opened === null) return false
    const { handle, size, head } = opened
    if (file.head !== '' && head !== file.head) {
      await handle.close()
      file.identity = ''
      return false
    }
    Object.assign(file, { handle, size, head })
    this.#reached = Math.max(this.#reached, this.#at)
    if (file.offset > size) file.offset = 0
    return true
  }

  /** It was renamed since it was last seen, or is gone. */
  async #withoutFile(file: LogFile): Promise<TurnEnd> {
    const { name } = file
    this.#reached = Math.max(this.#reached, this.#at)
    await this.#scan()
    if (file.identity !== '' && file.name !== name) return { kind: 'more' }
    const left = file.identity === '' ? 0 : file.size - file.offset
    if (left > 0 || file.identity === '') this.#observer.lost(join(this.#directory, name), left)
    file.size = file.offset
    if (this.#next === undefined) return { kind: this.#isGone ? 'finished' : 'idle' }
    this.#at++
    return { kind: 'more' }
  }

  async #atEnd(file: LogFile, hear: HearLine): Promise<TurnEnd> {
    const next = this.#next
    if (next === undefined && !this.#isGone) {
      const { size } = await file.handle!.stat()
      if (size >= file.offset) return { kind: 'idle' }
      Object.assign(file, { offset: 0, skipped: 0 })
      return { kind: 'more' }
    }
    if (next === undefined) {
      this.#joiner.flush(hear)
      return { kind: 'finished' }
    }
    const waited = this.#now() - next.seen
    if (waited < linger) return { kind: 'later', after: linger - waited }
    // Who was started again does not end the line that it had begun.
    if (next.start !== file.start) this.#joiner.flush(hear)
    this.#at++
    return { kind: 'more' }
  }

  /** False when there is no whole record in it. */
  #take(file: LogFile, chunk: Buffer, isFull: boolean, hear: HearLine): boolean {
    let from = 0
    if (file.skipped > 0) {
      const end = chunk.indexOf(newline)
      if (end < 0) {
        file.skipped += chunk.length
        return true
      }
      file.offset += file.skipped + end + 1
      file.skipped = 0
      from = end + 1
    }
    const base = file.offset - from
    let end = chunk.indexOf(newline, from)
    if (end < 0 && from === 0) {
      if (!isFull) return false
      this.#observer.cut()
      this.#record(chunk, { file, offset: base }, hear)
      file.skipped = chunk.length
      return true
    }
    for (; end >= 0; end = chunk.indexOf(newline, from)) {
      this.#record(chunk.subarray(from, end), { file, offset: base + from }, hear)
      from = end + 1
    }
    file.offset = base + from
    return true
  }

  #record(line: Buffer, place: Place, hear: HearLine): void {
    const record = parseRecord(line)
    if (record === null) this.#observer.malformed()
    else this.#joiner.push(record, place, hear)
  }
}

const newline = 0x0a

async function close(file: LogFile): Promise<void> {
  const { handle } = file
  file.handle = null
  await handle?.close()
}

/** A file keeps its name, or loses `N.log` for one with a time. */
function isSameLog(before: string, now: string): boolean {
  return before === now || now.startsWith(`${before}.`)
}

/** Null when the error says that there is nothing by that name; throws any other. */
function noFile(error: unknown): null {
  const { code = '' } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR') return null
  throw error
}
