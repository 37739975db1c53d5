// A layer of an image → files in a directory that is ours alone. Nothing of it gets out: paths are taken apart and put
// together again, and nothing is ever made below a link, as all that is in the directory was made by us and is known.
//
// Files cannot be written to: images share them by hard links (see unpacked-images.ts).

import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { link, mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { mediaType } from '#kit/oci/manifest.ts'
import { readTar, type TarEntry, TarError } from '#kit/tar-reader.ts'

export interface LayerLimits {
  /** Bytes of all files, unpacked. */
  readonly bytes: number
  readonly files: number
}

export interface UnpackedLayer {
  /** Paths of earlier layers that are gone; one that ends with a slash: all that was in it. */
  readonly whiteouts: readonly string[]
  readonly bytes: number
  readonly files: number
}

export class LayerError extends Error {}

/** Bytes of files that are written as a whole. */
const small = 1024 * 1024
const longestPath = 4096
const longestName = 255
const whiteout = '.wh.'
const opaque = '.wh..wh..opq'

/** `directory` is there and empty. Throws LayerError, or what the source or the file system says. */
export async function unpackLayer(
  source: Readable,
  layer: { readonly mediaType: string; readonly diffId: string },
  directory: string,
  limits: LayerLimits,
  signal: AbortSignal,
): Promise<UnpackedLayer> {
  const hash = createHash('sha256')
  const made = new Map<string, 'directory' | 'file' | 'symlink'>()
  const whiteouts: string[] = []
  let bytes = 0

  const prepare = async (path: string): Promise<string> => {
    const above = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : ''
    if (above !== '' && made.get(above) !== 'directory') {
      if (made.has(above)) throw new LayerError('it has a file below what is no directory')
      await prepare(above)
      await mkdir(join(directory, above))
      made.set(above, 'directory')
    }
    if (made.size >= limits.files) throw new LayerError(`it has more than ${limits.files} files`)
    return join(directory, path)
  }

  const unpack = async (archive: AsyncIterable<Buffer>): Promise<void> => {
    const hashed = async function* (): AsyncIterable<Buffer> {
      for await (const chunk of archive) {
        hash.update(chunk)
        yield chunk
      }
    }
    for await (const entry of readTar(hashed())) {
      signal.throwIfAborted()
      const path = safePath(entry.path)
      if (path === '' || entry.kind === 'other') continue
      const name = path.slice(path.lastIndexOf('/') + 1)
      if (name.startsWith(whiteout)) {
        const above = path.slice(0, path.length - name.length)
        whiteouts.push(name === opaque ? above : safePath(above + name.slice(whiteout.length)))
        if (whiteouts.length > limits.files) throw new LayerError(`it has more than ${limits.files} files`)
        continue
      }
      const before = made.get(path)
      if (before === 'directory' && entry.kind === 'directory') continue
      // The last of two of one name counts.
      if (before === 'directory') throw new LayerError('it has a file in the place of a directory')
      const file = await prepare(path)
      if (before !== undefined) await rm(file)
      switch (entry.kind) {
        case 'directory':
          await mkdir(file)
          break
        case 'symlink':
          if (entry.target === '' || entry.target.includes('\0')) throw new LayerError('it has a link to nothing')
          await symlink(entry.target, file)
          break
        case 'hardlink': {
          const target = safePath(entry.target)
          if (made.get(target) !== 'file' || target === path) throw new LayerError('it has a link to what is not in it')
          await link(join(directory, target), file)
          break
        }
        case 'file':
          bytes += entry.size
          if (bytes > limits.bytes) throw new LayerError(`it is larger than ${Math.floor(limits.bytes / 2 ** 20)} MB`)
          await write(file, entry)
      }
      made.set(path, entry.kind === 'hardlink' ? 'file' : entry.kind)
    }
  }

  try {
    await pipeline([source, ...decompression(layer.mediaType), unpack], { signal })
  } catch (error) {
    throw error instanceof TarError ? new LayerError(error.message) : error
  }
  if (`sha256:${hash.digest('hex')}` !== layer.diffId) throw new LayerError('it is not what the image says')
  return { whiteouts, bytes, files: made.size }
}

async function write(file: string, { size, body, isExecutable }: TarEntry): Promise<void> {
  const options = { flags: 'wx', mode: isExecutable ? 0o555 : 0o444 } as const
  if (size > small) {
    await pipeline(Readable.from(body), createWriteStream(file, options))
    return
  }
  const chunks: Buffer[] = []
  for await (const chunk of body) chunks.push(chunk)
  await writeFile(file, Buffer.concat(chunks), { flag: options.flags, mode: options.mode })
}

function decompression(type: string): NodeJS.ReadWriteStream[] {
  switch (type) {
    case mediaType.layer:
      return []
    case mediaType.layerGzip:
    case mediaType.dockerLayer:
      return [createGunzip()]
    case mediaType.layerZstd:
      return [createZstdDecompress()]
    default:
      throw new LayerError(`it is of a kind that is not known (${type.slice(0, 100)})`)
  }
}

/** Without slashes at its ends; empty: the root. Throws LayerError when it leads out of it. */
export function safePath(raw: string): string {
  const parts = raw.split('/').filter(part => part !== '' && part !== '.')
  const isBad = parts.some(part => part === '..' || part.includes('\0') || Buffer.byteLength(part) > longestName)
  if (isBad || raw.length > longestPath) throw new LayerError('it has a path that leads out of it, or is none')
  return parts.join('/')
}
