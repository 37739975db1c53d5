// `BUILDPACK_URL`: a buildpack from a git repository, `URL` or `URL#REF` (builder contract, section 7). A branch or tag is
// fetched alone; what is neither, or a server that knows no shallow clones, takes the whole repository.

import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { BuildError } from '../strategy.ts'
import type { Bench } from './buildpack.ts'

/** Nothing of this machine: `file:` would read what belongs to others. */
const protocols = 'https:http:ssh:git'

const url = /^(?:https?|ssh|git):\/\/[^\s\0]{1,2000}$|^[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:[^\s\0]{1,2000}$/
const ref = /^(?!-)[^\s\0~^:?*[\\]{1,250}$/

/** Returns its directory. Throws BuildError `failed`. */
export async function fetchBuildpack(text: string, bench: Bench): Promise<string> {
  const hash = text.indexOf('#')
  const where = hash < 0 ? text : text.slice(0, hash)
  const wanted = hash < 0 ? null : text.slice(hash + 1)
  if (!url.test(where) || (wanted !== null && !ref.test(wanted)))
    throw new BuildError(
      'failed',
      'BUILDPACK_URL is no URL of a git repository, such as https://example.com/buildpack.git#v2',
    )
  const directory = join(bench.workspace.root, 'buildpack')
  const said: string[] = []
  const git = async (...args: readonly string[]): Promise<boolean> => {
    const status = await bench.steps.run({
      name: 'git',
      command: ['git', ...args],
      directory: bench.workspace.root,
      environment: { ...bench.environment, GIT_ALLOW_PROTOCOL: protocols, GIT_TERMINAL_PROMPT: '0' },
      hear: line => {
        if (said.push(line) > 10) said.shift()
      },
    })
    return status === 0
  }
  // Its own default when none is named: `master` is not what everybody calls it any more.
  const branch = wanted === null ? [] : ['--branch', wanted]
  const submodules = ['--recurse-submodules', '--shallow-submodules']
  if (await git('clone', '--quiet', '--depth', '1', ...branch, ...submodules, '--', where, directory)) return directory
  await rm(directory, { recursive: true, force: true })
  const isFetched =
    (await git('clone', '--quiet', '--no-checkout', '--', where, directory)) &&
    (await git('-C', directory, 'checkout', '--quiet', '--detach', wanted ?? 'HEAD')) &&
    (await git('-C', directory, 'submodule', '--quiet', 'update', '--init', '--recursive'))
  if (isFetched) return directory
  for (const line of said) bench.output.hear(line)
  throw new BuildError('failed', 'The buildpack cannot be fetched.')
}
