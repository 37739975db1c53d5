// The platform's images for the test cluster: the same Dockerfile that is for everybody, on a base of our own and with the
// packages of this checkout, because neither an image registry nor npm can be counted on.

import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { cached } from './binaries.ts'
import { say } from './command.ts'
import { buildArchive } from './images.ts'
import { ensurePackages } from './machine.ts'
import { baseArchive, routerBaseArchive } from './router-base.ts'

/** By the Dockerfile's targets. */
export const platformImages = {
  router: 'localhost/deis-router:test',
  workflow: 'localhost/deis-workflow:test',
  builder: 'localhost/deis-builder:test',
} as const

export type PlatformImage = keyof typeof platformImages

/** Each change of a source makes a new one, of 90 MB. */
const keptDays = 2

const checkout = join(import.meta.dirname, '../..')
/** What all of them copy, and what tells buildah which of it to leave out. */
const common = ['Dockerfile', '.dockerignore', 'package.json', 'package-lock.json', 'LICENSE', 'kit', 'kube']
const services = ['store', 'controller', 'registry', 'logger']
const rooms: Readonly<Record<PlatformImage, readonly string[]>> = {
  router: ['router'],
  workflow: services,
  builder: [...services, 'builder'],
}

/** The path of an OCI archive with this image of this checkout, made now if it is not there yet. */
export async function platformImageArchive(name: PlatformImage): Promise<string> {
  const base = await (name === 'builder' ? gitBaseArchive() : routerBaseArchive())
  const context = mkdtempSync(join(tmpdir(), 'deis-image-'))
  try {
    // Copied first: what is built is what the digest is of, also while somebody writes.
    stage(context, rooms[name])
    const entry = await cached(
      `deis-${name}-image`,
      [base, digestOf(context)],
      target => build(name, base, context, target),
      keptDays,
    )
    return join(entry, 'image.tar')
  } finally {
    rmSync(context, { recursive: true, force: true })
  }
}

/** Where apt cannot be used while an image is built, git is in the base. */
export function gitBaseArchive(): Promise<string> {
  return baseArchive('builder-base', ['ca-certificates', 'git'])
}

async function build(name: PlatformImage, base: string, context: string, target: string): Promise<void> {
  await ensurePackages(['buildah'])
  const image = platformImages[name]
  say(`building ${image}`)
  const storage = join(target, 'storage')
  const { version } = JSON.parse(readFileSync(join(context, 'package.json'), 'utf8')) as { version: string }
  const given = { BASE: `oci-archive:${base}`, VERSION: version }
  try {
    await buildArchive(storage, context, image, join(target, 'image.tar'), given, name)
  } finally {
    rmSync(storage, { recursive: true, force: true })
  }
}

function stage(context: string, rooms: readonly string[]): void {
  for (const name of [...common, ...rooms]) cpSync(join(checkout, name), join(context, name), { recursive: true })
  for (const path of productionPackages()) {
    mkdirSync(join(context, 'offline', path), { recursive: true })
    cpSync(join(checkout, path), join(context, 'offline', path), { recursive: true })
  }
}

interface Locked {
  readonly dev?: boolean
  readonly optional?: boolean
  readonly devOptional?: boolean
}

/** Where the packages are that `npm install --omit=dev --omit=optional` would install, as the lockfile has it. */
function productionPackages(): readonly string[] {
  const lock = JSON.parse(readFileSync(join(checkout, 'package-lock.json'), 'utf8')) as {
    packages: Readonly<Record<string, Locked>>
  }
  return Object.entries(lock.packages)
    .filter(([path, { dev, optional, devOptional }]) => path !== '' && !dev && !optional && !devOptional)
    .map(([path]) => path)
}

function digestOf(directory: string): string {
  const hash = createHash('sha256')
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true })
  const files = entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
  for (const file of files.sort())
    hash
      .update(`${relative(directory, file)}\0`)
      .update(readFileSync(file))
      .update('\0')
  return hash.digest('hex')
}
