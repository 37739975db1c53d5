// Container images without a registry and without a container engine: buildah makes an archive, containerd imports it.

import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { binary, cached, sourceDirectory } from './binaries.ts'
import { run } from './command.ts'
import { ensurePackages } from './machine.ts'
import { containerdSocket } from './node-site.ts'

/** The images that every node has from the start, each made of one program of ours. */
export const ownImages = { pause: 'localhost/pause:1', echo: 'localhost/echo:1' } as const

/** The path of an archive with one of our images, made now if it never was. */
export async function ownImageArchive(name: keyof typeof ownImages): Promise<string> {
  const program = await binary(name)
  // A program's path contains the digest of its sources. Its Dockerfile is as good as fixed; `v1` is for its changes.
  const entry = await cached(`${name}-image`, ['v1', program], async target => {
    await ensurePackages(['buildah'])
    const scratch = mkdtempSync(join(tmpdir(), 'deis-image-'))
    try {
      copyFileSync(program, join(scratch, basename(program)))
      copyFileSync(join(sourceDirectory(name), 'Dockerfile'), join(scratch, 'Dockerfile'))
      await buildArchive(join(scratch, 'storage'), scratch, ownImages[name], join(target, 'image.tar'))
    } finally {
      rmSync(scratch, { recursive: true, force: true })
    }
  })
  return join(entry, 'image.tar')
}

/**
 * Builds `directory`'s Dockerfile into the OCI archive `archive` under the full name `name`. Images built before with
 * the same `storage` can be named in FROM, and archives anywhere as `oci-archive:FILE`.
 */
export async function buildArchive(
  storage: string,
  directory: string,
  name: string,
  archive: string,
  buildArguments: Readonly<Record<string, string>> = {},
  /** The stage of the Dockerfile; null: the last. */
  stage: string | null = null,
): Promise<void> {
  const env = { BUILDAH_ISOLATION: 'chroot', STORAGE_DRIVER: 'vfs' }
  const global = ['--root', join(storage, 'root'), '--runroot', join(storage, 'run')]
  const given = Object.entries(buildArguments).flatMap(([key, value]) => ['--build-arg', `${key}=${value}`])
  const target = stage === null ? [] : ['--target', stage]
  await run('buildah', [...global, 'build', '--quiet', ...given, ...target, '--tag', name, directory], { env })
  await run('buildah', [...global, 'push', '--quiet', name, `oci-archive:${archive}:${name}`], { env })
}

/** Gives the node the images of an OCI or Docker archive. */
export async function loadArchive(archive: string): Promise<void> {
  await containerdCommand(['images', 'import', archive])
}

/** Gives an image that the node has another name too. */
export async function nameImage(image: string, name: string): Promise<void> {
  await containerdCommand(['images', 'tag', '--force', image, name])
}

/** Builds an image as `buildArchive` does and gives it to the node of the cluster in `clusterDirectory`. */
export async function buildImage(clusterDirectory: string, directory: string, name: string): Promise<void> {
  await ensurePackages(['buildah'])
  const scratch = mkdtempSync(join(tmpdir(), 'deis-image-'))
  try {
    const archive = join(scratch, 'image.tar')
    await buildArchive(join(clusterDirectory, 'images'), directory, name, archive)
    await loadArchive(archive)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** Runs containerd's own client in the name space that Kubernetes uses. */
export function containerdCommand(args: readonly string[]): Promise<string> {
  return run('ctr', ['--address', containerdSocket, '--namespace', 'k8s.io', ...args])
}
