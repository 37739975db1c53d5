// The configuration in force, on disk, so that a router that starts while the API server is away can serve it.
//
// Format: one line of JSON (format, time, SHA-256 of the rest), a line feed, then the patch as JSON. The digest tells
// a file that was cut off or edited from a whole one. It holds private keys, so only its owner may read it.

import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { access, type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { exitCode, StartupError } from '#kit/exit.ts'
import type { Logger } from '#kit/log.ts'
import { version } from '#kit/version.ts'
import type { Patch } from '../model/patch.ts'

/** Holds our version: what a Patch looks like may change with each. A file of another version is ignored. */
const format = `deis-router-snapshot/4 ${version}`
/** Larger than any configuration that a router could hold. */
const maxSize = 512 * 1024 * 1024

export interface Snapshot {
  readonly patch: Patch
  /** When it was written, milliseconds since the epoch. */
  readonly savedAt: number
}

export type SnapshotReading =
  | { readonly kind: 'read'; readonly snapshot: Snapshot }
  | { readonly kind: 'absent' }
  /** It is there and cannot be used. */
  | { readonly kind: 'unusable'; readonly reason: string }

/** Rejects with StartupError 64 when `file` could never be written: a mistake that nobody should find in an outage. */
export async function checkSnapshotFile(file: string): Promise<void> {
  const refuse = (reason: string): never => {
    throw new StartupError(exitCode.usage, `--snapshot: cannot write ${file}: ${reason}`)
  }
  const found = await stat(file).catch(() => null)
  if (found?.isDirectory()) refuse('it is a directory')
  // It is written aside and renamed: a device or a pipe would be gone.
  if (found !== null && !found.isFile()) refuse('it is no regular file')
  const directory = dirname(file)
  try {
    if (!(await stat(directory)).isDirectory()) refuse(`${directory} is no directory`)
    await access(directory, constants.W_OK | constants.X_OK)
  } catch (error) {
    if (error instanceof StartupError) throw error
    refuse(`directory ${directory}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`)
  }
}

/** Never throws: whatever is wrong with the file is its `reason`. */
export async function readSnapshot(file: string): Promise<SnapshotReading> {
  try {
    await using handle = await open(file, 'r')
    const { size } = await handle.stat()
    if (size > maxSize) return { kind: 'unusable', reason: `it is larger than ${maxSize} bytes` }
    return parseSnapshot(await handle.readFile())
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return code === 'ENOENT' ? { kind: 'absent' } : { kind: 'unusable', reason: code ?? message }
  }
}

function parseSnapshot(bytes: Buffer): SnapshotReading {
  const end = bytes.indexOf(0x0a)
  if (end < 0) return { kind: 'unusable', reason: 'it has no header line' }
  const body = bytes.subarray(end + 1)
  try {
    const header: unknown = JSON.parse(bytes.toString('utf8', 0, end))
    if (!isRecord(header) || header.format !== format)
      return { kind: 'unusable', reason: `its format is not ${format}` }
    if (header.sha256 !== digest(body))
      return { kind: 'unusable', reason: 'its digest does not match: it is cut off or changed' }
    const patch: unknown = JSON.parse(body.toString('utf8'))
    if (typeof header.savedAt !== 'number' || !isWorld(patch))
      return { kind: 'unusable', reason: 'parts of it are missing' }
    return { kind: 'read', snapshot: { patch, savedAt: header.savedAt } }
  } catch {
    return { kind: 'unusable', reason: 'it is not JSON' }
  }
}

/** Whoever can make the digest match wrote this format; this only keeps a wrong kind of document out. */
function isWorld(value: unknown): value is Patch {
  const isDelta = (delta: unknown): boolean =>
    isRecord(delta) && Array.isArray(delta.upserts) && delta.upserts.every(isRecord) && Array.isArray(delta.deletes)
  return (
    isRecord(value) &&
    value.reset === true &&
    Number.isSafeInteger(value.version) &&
    isRecord(value.settings) &&
    (value.builder === null || isRecord(value.builder)) &&
    isDelta(value.routes) &&
    isDelta(value.upstreams) &&
    isDelta(value.certificates) &&
    isDelta(value.authorities) &&
    Array.isArray(value.apps)
  )
}

/** Writes aside, flushes to disk, then renames: the file is the old or the new one, whenever the machine stops. */
export async function writeSnapshot(file: string, { patch, savedAt }: Snapshot): Promise<void> {
  const body = Buffer.from(JSON.stringify(patch))
  const header = `${JSON.stringify({ format, savedAt, sha256: digest(body) })}\n`
  const aside = `${file}.new`
  // What a killed writer left may have other permissions; O_EXCL also keeps us from following a planted link.
  await rm(aside, { force: true })
  try {
    await using handle = await open(aside, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600)
    await handle.writeFile(header)
    await handle.writeFile(body)
    await handle.sync()
  } catch (error) {
    await rm(aside, { force: true }).catch(() => {})
    throw error
  }
  await rename(aside, file)
  await syncDirectory(dirname(file))
}

/** Makes the rename itself last. Some file systems cannot, and then it need not. */
async function syncDirectory(directory: string): Promise<void> {
  let handle: FileHandle | null = null
  try {
    handle = await open(directory, 'r')
    await handle.sync()
  } catch {
    // Nothing to be done: the file itself is whole either way.
  } finally {
    await handle?.close()
  }
}

export interface SnapshotKeeperOptions {
  readonly file: string
  /** What to write, asked for at the time of writing. */
  readonly whole: () => Patch
  readonly log: Logger
  /** At most one writing in this time, milliseconds. */
  readonly interval?: number
}

/** Writes the snapshot after changes. A disk that refuses costs a warning, once until it works again. */
export class SnapshotKeeper implements AsyncDisposable {
  readonly #options: SnapshotKeeperOptions
  readonly #interval: number
  #timer: NodeJS.Timeout | null = null
  #writing: Promise<void> | null = null
  #changed = false
  #failing = false
  #closed = false
  #savedAt: number | null = null

  constructor(options: SnapshotKeeperOptions) {
    this.#options = options
    this.#interval = options.interval ?? 1000
  }

  /** When this keeper last wrote, milliseconds since the epoch; null: not yet. */
  get savedAt(): number | null {
    return this.#savedAt
  }

  /** The configuration is another one now. */
  changed(): void {
    this.#changed = true
    if (this.#timer !== null || this.#writing !== null) return
    // A disk that refuses is asked again later even if nothing changes: it would keep an old configuration.
    const wait = this.#failing ? 30 * this.#interval : this.#interval
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.#write()
    }, wait)
  }

  /** Writes what is not written yet. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    await this.#writing
    if (this.#changed && !this.#failing) this.#write()
    await this.#writing
  }

  #write(): void {
    this.#changed = false
    const { file, whole, log } = this.#options
    const savedAt = Date.now()
    this.#writing = writeSnapshot(file, { patch: whole(), savedAt })
      .then(
        () => {
          if (this.#failing) log.info({ file }, 'the snapshot is written again')
          this.#failing = false
          this.#savedAt = savedAt
        },
        (error: NodeJS.ErrnoException) => {
          this.#changed = true
          if (!this.#failing) log.warn({ file, reason: error.code ?? error.message }, 'the snapshot cannot be written')
          this.#failing = true
        },
      )
      .finally(() => {
        this.#writing = null
        if (this.#changed && !this.#closed) this.changed()
      })
  }
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
