// A built app → an OCI image: two layers of files, a config and a manifest (OCI Image 1.1). The same files give the same
// digests, whenever and whoever packs them, and what an app depends on is apart from the app itself, so that the next push
// sends little.
//
// Layers are compressed with Zstandard: several times faster than gzip at the same size, and what zlib makes differs with
// the processor that it runs on.

import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants, createZstdCompress } from 'node:zlib'
import { type Descriptor, label, mediaType, thisPlatform } from '#kit/oci/manifest.ts'
import { digestOf } from '#kit/oci/registry.ts'
import { writeTar } from './tar-writer.ts'
import type { TreeEntry } from './tree.ts'

export interface PackedLayer extends Descriptor {
  readonly file: string
  /** Digest of what is in it when it is not compressed. */
  readonly diffId: string
}

export interface PackedImage {
  readonly layers: readonly PackedLayer[]
  readonly config: Buffer
  readonly manifest: Buffer
  /** Bytes of all layers. */
  readonly size: number
}

export interface PackOptions {
  /** Where layers are written; who asked removes it. */
  readonly scratch: string
  readonly procfile: Readonly<Record<string, string>>
  readonly environment: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

/** Where an app is in its image. */
const home = 'app/'
/** The port that processes are given unless the config has another (controller contract, section 8). */
const port = 5000
const created = '1980-01-01T00:00:01Z'
const compression = 3

/** What package managers bring: directories at the root of an app. */
const dependencies = new Set(['node_modules', '.venv', 'vendor', '.heroku', '.bundle', '.deis'])

export function partOf(path: string): 'dependencies' | 'app' {
  return dependencies.has(path.split('/', 1)[0]!) ? 'dependencies' : 'app'
}

/** `entries` are of the app's directory, read with our `partOf`, and their files must not change before this resolves. */
export async function packImage(entries: readonly TreeEntry[], options: PackOptions): Promise<PackedImage> {
  const parts = (['dependencies', 'app'] as const).map(part => entries.filter(({ path }) => partOf(path) === part))
  const layers: PackedLayer[] = []
  // The app's own layer is there even when it is empty: an image without layers is none for some.
  for (const [index, part] of parts.entries())
    if (part.length > 0 || index === 1)
      layers.push(await packLayer(part, join(options.scratch, `layer-${index}`), options.signal))
  const config = json(configOf(layers, options))
  const manifest = json({
    schemaVersion: 2,
    mediaType: mediaType.manifest,
    config: { mediaType: mediaType.config, digest: digestOf(config), size: config.length },
    layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
  })
  return { layers, config, manifest, size: layers.reduce((sum, { size }) => sum + size, 0) }
}

async function packLayer(entries: readonly TreeEntry[], file: string, signal: AbortSignal): Promise<PackedLayer> {
  const plain = createHash('sha256')
  const packed = createHash('sha256')
  let size = 0
  await pipeline(
    Readable.from(writeTar(entries, home), { objectMode: false, highWaterMark: 1024 * 1024 }),
    tap(chunk => void plain.update(chunk)),
    createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: compression } }),
    tap(chunk => {
      packed.update(chunk)
      size += chunk.length
    }),
    createWriteStream(file, { flags: 'wx', mode: 0o600 }),
    { signal },
  )
  return {
    file,
    size,
    mediaType: mediaType.layerZstd,
    digest: `sha256:${packed.digest('hex')}`,
    diffId: `sha256:${plain.digest('hex')}`,
  }
}

function tap(hear: (chunk: Buffer) => void): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hear(chunk)
      done(null, chunk)
    },
  })
}

/** Field names as in the specification; sorted where the order means nothing. */
function configOf(layers: readonly PackedLayer[], { procfile, environment }: PackOptions): unknown {
  return {
    created,
    architecture: thisPlatform.architecture,
    os: thisPlatform.os,
    config: {
      User: '2000:2000',
      ExposedPorts: { [`${port}/tcp`]: {} },
      Env: Object.entries(sorted(environment)).map(([name, value]) => `${name}=${value}`),
      WorkingDir: '/app',
      Labels: { [label.procfile]: JSON.stringify(sorted(procfile)), [label.runsIn]: 'directory' },
    },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(() => ({ created, created_by: 'deis-builder' })),
  }
}

function sorted(map: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)))
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}
