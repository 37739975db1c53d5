// Layers that try to get out, and others that are not what they should be.

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { mediaType } from '#kit/oci/manifest.ts'
import { type UnpackedLayer, unpackLayer } from './layer.ts'

interface Item {
  readonly path: string
  readonly type?: '0' | '1' | '2' | '3' | '5'
  readonly text?: string
  readonly target?: string
  readonly size?: number
}

function archiveOf(items: readonly Item[]): Buffer {
  const blocks = items.flatMap(({ path, type = '0', text = '', target = '', size = text.length }) => {
    const header = Buffer.alloc(512)
    header.write(path, 0)
    header.write('0000644\0', 100)
    header.write(`${size.toString(8).padStart(11, '0')}\0`, 124)
    header.write('        ', 148)
    header.write(type, 156)
    header.write(target, 157)
    let sum = 0
    for (const byte of header) sum += byte
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
    return text === '' ? [header] : [header, Buffer.concat([Buffer.from(text), Buffer.alloc(512 - text.length)])]
  })
  return Buffer.concat([...blocks, Buffer.alloc(1024)])
}

const digest = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

async function unpack(
  items: readonly Item[],
  see: (directory: string, layer: UnpackedLayer) => void = () => {},
  { type = mediaType.layer as string, pack = (bytes: Buffer): Buffer => bytes, limit = 1e6 } = {},
): Promise<void> {
  const above = mkdtempSync(join(tmpdir(), 'layer-'))
  const directory = join(above, 'root')
  mkdirSync(directory)
  try {
    const archive = archiveOf(items)
    const layer = { mediaType: type, diffId: digest(archive) }
    const limits = { bytes: limit, files: 20 }
    const source = Readable.from([pack(archive)])
    see(directory, await unpackLayer(source, layer, directory, limits, new AbortController().signal))
  } finally {
    expect(readdirSync(above)).toEqual(['root'])
    rmSync(above, { recursive: true })
  }
}

const refused: [name: string, items: readonly Item[], message: RegExp][] = [
  ['a path upwards', [{ path: '../x', text: 'x' }], /leads out/],
  ['a path upwards in the middle', [{ path: 'a/../../x', text: 'x' }], /leads out/],
  [
    'a file below a link',
    [
      { path: 'a', type: '2', target: '..' },
      { path: 'a/x', text: 'x' },
    ],
    /below what is no directory/,
  ],
  [
    'a directory below a link',
    [
      { path: 'a', type: '2', target: '/tmp' },
      { path: 'a/b/', type: '5' },
    ],
    /below what is no/,
  ],
  ['a hard link to the machine', [{ path: 'a', type: '1', target: '/etc/passwd' }], /what is not in it/],
  ['a hard link upwards', [{ path: 'a', type: '1', target: '../x' }], /leads out/],
  [
    'a hard link to a link',
    [
      { path: 'a', type: '2', target: '/etc' },
      { path: 'b', type: '1', target: 'a' },
    ],
    /not in it/,
  ],
  [
    'a name that is too long',
    [
      { path: 'x'.repeat(100).concat('/').repeat(1), type: '5' },
      { path: 'a', text: 'x', size: 2e6 },
    ],
    /larger than/,
  ],
  [
    'too many files',
    Array.from({ length: 30 }, (_, index) => ({ path: `f${index}`, text: 'x' })),
    /more than 20 files/,
  ],
  [
    'a file for a directory',
    [
      { path: 'a/b', text: 'x' },
      { path: 'a', text: 'x' },
    ],
    /in the place of a directory/,
  ],
]
for (const [name, items, message] of refused)
  test(`refused: ${name}`, async () => {
    await expect(unpack(items)).rejects.toThrow(message)
  })

test('absolute paths are below the root, devices are left out, the last of one name counts', async () => {
  const items: Item[] = [
    { path: '/etc/x', text: 'one' },
    { path: 'dev/null', type: '3' },
    { path: './etc/x', text: 'two' },
    { path: 'l', type: '2', target: '/etc/passwd' },
    { path: 'l', text: 'a file now' },
    { path: 'h', type: '1', target: 'etc/x' },
  ]
  await unpack(items, directory => {
    expect(readFileSync(join(directory, 'etc/x'), 'utf8')).toBe('two')
    expect(readFileSync(join(directory, 'l'), 'utf8')).toBe('a file now')
    expect(statSync(join(directory, 'h')).nlink).toBe(2)
    expect(statSync(join(directory, 'h')).mode & 0o222).toBe(0)
    expect(existsSync(join(directory, 'dev/null'))).toBe(false)
  })
})

test('whiteouts', async () => {
  const items: Item[] = [{ path: 'a/.wh.b' }, { path: 'c/.wh..wh..opq' }, { path: '.wh..wh..opq' }]
  await unpack(items, (_, { whiteouts }) => expect(whiteouts).toEqual(['a/b', 'c/', '']))
  await expect(unpack([{ path: 'a/.wh...' }])).rejects.toThrow(/leads out/)
})

const packings: [type: string, pack: (bytes: Buffer) => Buffer][] = [
  [mediaType.layerGzip, gzipSync],
  [mediaType.dockerLayer, gzipSync],
  [mediaType.layerZstd, zstdCompressSync],
]
for (const [type, pack] of packings)
  test(type, async () => {
    const see = (directory: string): void => expect(readFileSync(join(directory, 'a'), 'utf8')).toBe('x')
    await unpack([{ path: 'a', text: 'x' }], see, { type, pack })
  })

test('a bomb, a kind that is not known, octets that are others', async () => {
  const bomb = [{ path: 'a', text: 'x'.repeat(500) }]
  await expect(unpack(bomb, undefined, { limit: 100 })).rejects.toThrow(/larger than/)
  await expect(unpack([], undefined, { type: 'text/plain' })).rejects.toThrow(/not known/)
  const other = (): Buffer => archiveOf([{ path: 'b', text: 'x' }])
  await expect(unpack([{ path: 'a', text: 'x' }], undefined, { pack: other })).rejects.toThrow(
    /not what the image says/,
  )
})
