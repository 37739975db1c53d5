import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openStore } from '#store/open-store.ts'
import type { ObjectStore } from '#store/store.ts'
import { git } from './git.ts'
import { Repositories } from './repositories.ts'
import { SavedRepositories } from './saved-repositories.ts'

const { signal } = new AbortController()
const author = {
  GIT_AUTHOR_NAME: 'a',
  GIT_AUTHOR_EMAIL: 'a@b.c',
  GIT_COMMITTER_NAME: 'a',
  GIT_COMMITTER_EMAIL: 'a@b.c',
}

let directory: string
let store: ObjectStore
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'builder-repositories-'))
  store = await openStore({ kind: 'folder', directory: join(directory, 'store') })
})
afterEach(async () => {
  await store.close()
  await rm(directory, { recursive: true })
})

/** One more commit on `master`. */
async function commit(path: string, text: string, parent: string | null): Promise<string> {
  const blob = (await git(['hash-object', '-w', '--stdin'], { cwd: path, input: text })).trim()
  const tree = (await git(['mktree'], { cwd: path, input: `100644 blob ${blob}\tn\n` })).trim()
  const parents = parent === null ? [] : ['-p', parent]
  const made = (await git(['commit-tree', '-m', text, ...parents, tree], { cwd: path, env: author })).trim()
  await git(['update-ref', 'refs/heads/master', made], { cwd: path })
  return made
}

test('what is saved many times becomes one pack in the store, and comes back whole', async () => {
  const open = () => Repositories.open(join(directory, 'work'), new SavedRepositories(store), signal)
  const repositories = await open()
  const path = await repositories.open('shop', null)
  const counts: number[] = []
  let last: string | null = null
  for (let times = 0; times < 18; times++) {
    last = await commit(path, `${times}`, last)
    await repositories.save('shop')
    counts.push((await Array.fromAsync(store.list('repositories/shop/packs/'))).length)
  }
  expect(counts).toEqual([...Array.from({ length: 16 }, (_, index) => index + 1), 1, 2])
  // Here too: the one after it is not yet in a pack.
  expect((await readdir(join(path, 'objects/pack'))).filter(name => name.endsWith('.pack'))).toHaveLength(1)
  // Nothing new, nothing more.
  await repositories.save('shop')
  expect(await Array.fromAsync(store.list('repositories/shop/packs/'))).toHaveLength(2)

  const again = await (await open()).open('shop', null)
  expect((await git(['rev-list', '--count', 'master'], { cwd: again })).trim()).toBe('18')
  expect((await git(['rev-parse', 'HEAD'], { cwd: again })).trim()).toBe(last)
  await git(['fsck', '--full', '--strict'], { cwd: again })
})
