// `BUILDPACK_URL`: a Cloud Native Buildpack from a git repository, `URL` or `URL#REF`, laid out as the lifecycle wants its
// buildpacks: `buildpacks/ID/VERSION`, and an order of one. Former buildpacks, with `bin/compile`, are refused: they write
// into the app's directory and know nothing of layers.

import { spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { mkdir, open, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { orderOf, readIdentity } from './buildpack-toml.ts'

export interface CustomBuildpack {
  readonly url: string
  readonly directory: string
  /** For private repositories: a key of ssh in base64, or nothing. */
  readonly key: string
  readonly home: string
}

const pattern = /^(?:https?|ssh|git):\/\/[^\s\0]{1,2000}$|^[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:[^\s\0]{1,2000}$/
const refPattern = /^(?!-)[^\s\0~^:?*[\\]{1,250}$/
const timeout = 300_000
/** Bytes. */
const longest = 256 * 1024

export async function fetchBuildpack({ url, directory, key, home }: CustomBuildpack): Promise<void> {
  const hash = url.indexOf('#')
  const where = hash < 0 ? url : url.slice(0, hash)
  const ref = hash < 0 ? null : url.slice(hash + 1)
  if (!pattern.test(where) || (ref !== null && !refPattern.test(ref)))
    throw new Error('BUILDPACK_URL is no URL of a git repository, such as https://example.com/buildpack.git#v2')
  const env = await environment(key, home)
  const clone = join(directory, 'clone')
  const branch = ref === null ? [] : ['--branch', ref]
  const submodules = ['--recurse-submodules', '--shallow-submodules']
  const shallow = await git(['clone', '--quiet', '--depth', '1', ...branch, ...submodules, '--', where, clone], env)
  if (shallow !== null) await fetchWhole(where, ref, clone, env)
  const toml = await readSmall(join(clone, 'buildpack.toml'))
  const isExecutable = await stat(join(clone, 'bin/build')).then(
    status => status.isFile(),
    () => false,
  )
  if (toml === null || !isExecutable)
    throw new Error(
      'BUILDPACK_URL names no Cloud Native Buildpack: it has no buildpack.toml and bin/build. Buildpacks with ' +
        'bin/compile do not run here.',
    )
  const identity = readIdentity(toml)
  if (identity === null) throw new Error('The buildpack.toml of BUILDPACK_URL has no id and version of a buildpack.')
  const parent = join(directory, 'buildpacks', identity.id.replaceAll('/', '_'))
  await mkdir(parent, { recursive: true })
  await rename(clone, join(parent, identity.version))
  await writeFile(join(directory, 'order.toml'), orderOf(identity))
}

/** A commit, or a server that knows no shallow clones. */
async function fetchWhole(where: string, ref: string | null, clone: string, env: NodeJS.ProcessEnv): Promise<void> {
  await rm(clone, { recursive: true, force: true })
  const steps = [
    ['clone', '--quiet', '--no-checkout', '--', where, clone],
    ['-C', clone, 'checkout', '--quiet', '--detach', ref ?? 'HEAD'],
    ['-C', clone, 'submodule', '--quiet', 'update', '--init', '--recursive'],
  ]
  for (const step of steps) {
    const complaint = await git(step, env)
    if (complaint !== null) throw new Error(`The buildpack cannot be fetched.\n${complaint.trimEnd()}`)
  }
}

async function environment(key: string, home: string): Promise<NodeJS.ProcessEnv> {
  const env: NodeJS.ProcessEnv = {
    PATH: process.env.PATH ?? '/usr/bin:/bin',
    HOME: home,
    // Nothing of the container itself.
    GIT_ALLOW_PROTOCOL: 'https:http:ssh:git',
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_NOSYSTEM: '1',
  }
  if (key === '') return env
  const file = join(home, 'buildpack-key')
  await writeFile(file, Buffer.from(key, 'base64'), { mode: 0o600 })
  const options = '-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o IdentitiesOnly=yes -o BatchMode=yes'
  return { ...env, GIT_SSH_COMMAND: `ssh -i ${file} ${options}` }
}

/** What it complained of; null: it worked. */
async function git(args: readonly string[], env: NodeJS.ProcessEnv): Promise<string | null> {
  const child = spawn('git', args, { env, stdio: ['ignore', 'ignore', 'pipe'], timeout, killSignal: 'SIGKILL' })
  let complaint = ''
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-2000)
  })
  const { promise, resolve } = Promise.withResolvers<string | null>()
  child.once('error', error => resolve(error.message))
  child.once('close', code => resolve(code === 0 ? null : complaint || `git ended with ${code}`))
  return await promise
}

/** Null: there is no such file. A link is not followed. */
async function readSmall(path: string): Promise<string | null> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    const status = await file.stat()
    return status.isFile() && status.size <= longest ? await file.readFile('utf8') : null
  } catch {
    return null
  }
}
