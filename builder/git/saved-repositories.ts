// Repositories in the store, where they outlive the builder.
//
//   repositories/APP/refs.json          what there is: refs, and the packs that they need; replaced as a whole
//   repositories/APP/packs/TIME-N.pack  what a push brought
//
// A push adds a pack and then replaces refs.json; whatever dies in between, refs.json names packs that are there. Packs that
// it does not name are removed by the next push. When there are many, one takes the place of all.

import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { MissingObjectError, type ObjectStore } from '#store/store.ts'
import { Git, git, gitOutput } from './git.ts'

const prefix = 'repositories/'

/** Packs of a repository, before they are made one. */
const mostPacks = 16
/** Octets of refs.json. */
const mostIndex = 32 * 1024 * 1024
/** Octets of a pack without objects. */
const emptyPack = 32

const savedShape = z.strictObject({
  version: z.literal(1),
  /** Branch that a clone checks out. */
  head: z.string(),
  refs: z.record(z.string(), z.string().regex(/^[0-9a-f]{40}$/)),
  /** Oldest first: later ones may need objects of earlier ones. */
  packs: z.array(z.string()),
  /** Of the app; absent: it was not known. */
  uuid: z.string().optional(),
})

/** What is needed of the store. */
export type RepositoryStore = Pick<ObjectStore, 'check' | 'read' | 'write' | 'delete' | 'list'>

export type SavedRepository = z.infer<typeof savedShape>

export class SavedRepositories {
  readonly #store: RepositoryStore

  constructor(store: RepositoryStore) {
    this.#store = store
  }

  /** Null: there is none. */
  async find(app: string): Promise<SavedRepository | null> {
    try {
      const parts: Buffer[] = []
      let size = 0
      for await (const part of await this.#store.read(indexKey(app))) {
        size += part.length
        if (size > mostIndex) throw new Error(`${indexKey(app)} is too large`)
        parts.push(part)
      }
      return savedShape.parse(JSON.parse(Buffer.concat(parts).toString()))
    } catch (error) {
      if (error instanceof MissingObjectError) return null
      throw error
    }
  }

  /** Puts what is saved into an empty repository. */
  async restore(saved: SavedRepository, repository: string, signal: AbortSignal): Promise<void> {
    const cwd = repository
    for (const key of saved.packs) {
      // What was checked when it was pushed is checked again: a store is only a disk.
      const run = new Git(['index-pack', '--stdin'], { cwd, signal })
      run.child.stdout.resume()
      try {
        for await (const part of await this.#store.read(key))
          if (!run.child.stdin.write(part)) await Promise.race([drained(run.child.stdin), run.ended])
      } catch (error) {
        run.kill()
        await run.ended
        throw error
      }
      run.child.stdin.end()
      await run.done()
    }
    const commands = Object.entries(saved.refs).map(([ref, commit]) => `create ${ref} ${commit}\n`)
    await git(['update-ref', '--stdin'], { cwd, input: commands.join(''), signal })
    await git(['symbolic-ref', 'HEAD', saved.head], { cwd, signal })
  }

  /** Saves what a push changed. Returns whether packs became one. Only one call at a time for an app. */
  async save(app: string, uuid: string | null, repository: string, signal: AbortSignal): Promise<boolean> {
    const cwd = repository
    const before = await this.find(app)
    const refs = await refsOf(repository, signal)
    const head = (await git(['symbolic-ref', 'HEAD'], { cwd, signal })).trim()
    const isOld = before !== null && before.head === head && (before.uuid ?? null) === uuid
    if (isOld && same(before.refs, refs)) return false
    const compact = before !== null && before.packs.length >= mostPacks
    const known = compact || before === null ? [] : Object.values(before.refs)
    const wanted = [...Object.values(refs), ...known.map(commit => `^${commit}`)]
    const key = `${packsPrefix(app)}${Date.now().toString().padStart(15, '0')}-${randomBytes(6).toString('hex')}.pack`
    const pack = gitOutput(['pack-objects', '--revs', '--stdout', '--delta-base-offset', '-q'], {
      cwd,
      input: `${wanted.join('\n')}\n`,
      signal,
    })
    const { size } = await this.#store.write(key, pack)
    const packs = [...(compact ? [] : (before?.packs ?? [])), ...(size > emptyPack ? [key] : [])]
    const saved: SavedRepository = { version: 1, head, refs, packs, ...(uuid === null ? {} : { uuid }) }
    await this.#store.write(indexKey(app), Buffer.from(JSON.stringify(saved)))
    const needed = new Set(packs)
    for await (const { key: found } of this.#store.list(packsPrefix(app)))
      if (!needed.has(found)) await this.#store.delete(found)
    return compact
  }

  /** The refs go first: packs alone are nothing. */
  async remove(app: string): Promise<void> {
    await this.#store.delete(indexKey(app))
    for await (const { key } of this.#store.list(`${prefix}${app}/`)) await this.#store.delete(key)
  }

  /** Apps of which something is saved, by name, after `after`. */
  async *apps(after = ''): AsyncGenerator<string> {
    // The character behind the slash: every key of an app comes before it.
    let from = after === '' ? undefined : `${prefix}${after}0`
    for (;;) {
      let app: string | null = null
      for await (const { key } of this.#store.list(prefix, from === undefined ? {} : { after: from })) {
        app = key.slice(prefix.length).split('/')[0]!
        break
      }
      if (app === null) return
      yield app
      from = `${prefix}${app}0`
    }
  }
}

function indexKey(app: string): string {
  return `${prefix}${app}/refs.json`
}

function packsPrefix(app: string): string {
  return `${prefix}${app}/packs/`
}

/** Ref → object. */
async function refsOf(repository: string, signal: AbortSignal): Promise<Record<string, string>> {
  const text = await git(['for-each-ref', '--format=%(objectname) %(refname)'], { cwd: repository, signal })
  const lines = text.split('\n').filter(line => line !== '')
  return Object.fromEntries(lines.map(line => [line.slice(41), line.slice(0, 40)]))
}

function same(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(a)
  return names.length === Object.keys(b).length && names.every(name => a[name] === b[name])
}

function drained(stream: NodeJS.WritableStream): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  stream.once('drain', resolve).once('close', resolve)
  return promise
}
