// Builds the Go programs of the harness, once for each state of their sources, into a cache outside the checkout:
// CLUSTER_CACHE, or deis-cluster in the user's cache directory.

import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { run, say } from './command.ts'
import { withLock } from './lock.ts'
import { unmountBelow } from './mounts.ts'

/** Of every Kubernetes program; `kube/go.mod` names the same one. */
const kubernetesVersion = 'v1.34.4'

/** The directories of sources, each of which gives a program of the same name. */
export type BinaryName = 'kube' | 'dns' | 'pause' | 'echo'

const cacheDirectory =
  process.env.CLUSTER_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'deis-cluster')

const day = 24 * 3600 * 1000

/** Where the sources of a program are. */
export function sourceDirectory(name: BinaryName): string {
  return join(import.meta.dirname, name)
}

/** The path of a program, built now if it never was. Rejects with the compiler's complaint, or if there is no Go. */
export async function binary(name: BinaryName): Promise<string> {
  const sources = sourceDirectory(name)
  const flags = buildFlags(name)
  const entry = await cached(name, [...flags, process.arch, await digestOf(sources)], async target => {
    say(`building ${name}${name === 'kube' ? ': about ten minutes the first time' : ''}`)
    const build = ['-n', '10', 'go', 'build', ...flags, '-o', join(target, name), '.']
    await run('nice', build, { cwd: sources, env: { CGO_ENABLED: '0' } })
  })
  return join(entry, name)
}

/**
 * The directory in the cache for `inputs`, filled by `fill` if it is not there yet. It appears complete or not at all,
 * and two processes never fill the same one at once. Entries of this `name` that nobody used for `keptDays` are removed
 * when another is made.
 */
export async function cached(
  name: string,
  inputs: readonly string[],
  fill: (directory: string) => Promise<void>,
  keptDays = 30,
): Promise<string> {
  const key = createHash('sha256').update(JSON.stringify(inputs)).digest('hex').slice(0, 16)
  const entry = join(cacheDirectory, `${name}-${key}`)
  if (!existsSync(entry)) {
    await mkdir(cacheDirectory, { recursive: true })
    await withLock(join(cacheDirectory, `${name}.lock`), async () => {
      if (existsSync(entry)) return
      // Also what others left half-made, as nobody else makes one now.
      await removeUnused(name, keptDays)
      const aside = `${entry}.part`
      await mkdir(aside)
      await fill(aside)
      await rename(aside, entry)
    })
  }
  // The time of last use; a cache that somebody else made read-only still serves.
  await utimes(entry, new Date(), new Date()).catch(() => {})
  return entry
}

async function removeUnused(name: string, keptDays: number): Promise<void> {
  for (const other of await readdir(cacheDirectory)) {
    if (!/^-[0-9a-f]{16}(?:\.part)?$/.test(other.slice(name.length)) || !other.startsWith(name)) continue
    const path = join(cacheDirectory, other)
    const isUsed = !other.endsWith('.part') && Date.now() - (await stat(path)).mtimeMs <= keptDays * day
    if (isUsed) continue
    // An image that was being built has mounts.
    await unmountBelow(path)
    await rm(path, { recursive: true, force: true })
  }
}

async function digestOf(directory: string): Promise<string> {
  const hash = createHash('sha256')
  const names = (await readdir(directory)).filter(name => /\.(go|mod|sum)$/.test(name)).sort()
  for (const name of names) hash.update(`${name}\0`).update(await readFile(join(directory, name)))
  return hash.digest('hex')
}

function buildFlags(name: BinaryName): readonly string[] {
  const stamps = name === 'kube' ? versionStamps() : []
  return ['-trimpath', '-ldflags', ['-s', '-w', ...stamps].join(' ')]
}

// The programs are told their version when they are linked; unstamped, kubelet and API server refuse each other.
function versionStamps(): string[] {
  const [major, minor] = kubernetesVersion.slice(1).split('.')
  const values = { gitVersion: kubernetesVersion, gitMajor: major, gitMinor: minor }
  return Object.entries(values).map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`)
}
