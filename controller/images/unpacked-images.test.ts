// Images put together of their layers, and what becomes of those that nothing runs in. The registry here is one of two
// requests, made of a few lines: what it sends is the point, not how.

import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { mediaType } from '#kit/oci/manifest.ts'
import { digestOf, Registry } from '#kit/oci/registry.ts'
import { UnpackedImages } from './unpacked-images.ts'

type Files = Readonly<Record<string, string>>

function archiveOf(files: Files): Buffer {
  const directory = mkdtempSync(join(tmpdir(), 'archive-'))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(directory, path, '..'), { recursive: true })
    writeFileSync(join(directory, path), text)
  }
  const { stdout } = spawnSync('tar', ['-C', directory, '--mtime=@1', '--sort=name', '-cf', '-', '.'], {
    maxBuffer: 1e7,
  })
  rmSync(directory, { recursive: true })
  return stdout
}

class Stage implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'images-'))
  readonly blobs = new Map<string, Buffer>()
  readonly tags = new Map<string, string>()
  readonly asked: string[] = []
  isAway = false
  images!: UnpackedImages
  #server = createServer((request, response) => {
    const name = request.url!.split('/').at(-1)!
    this.asked.push(request.url!)
    const bytes = this.blobs.get(this.tags.get(name) ?? name)
    response.statusCode = this.isAway ? 503 : bytes === undefined ? 404 : 200
    response.end(this.isAway ? '' : bytes)
  })

  static async start(): Promise<Stage> {
    const stage = new Stage()
    stage.#server.listen(0, '127.0.0.1')
    await once(stage.#server, 'listening')
    const url = new URL(`http://127.0.0.1:${(stage.#server.address() as AddressInfo).port}`)
    const registry = new Registry({ url, authorize: null, userAgent: 'test' })
    stage.images = await UnpackedImages.open({ directory: stage.directory, registry, spare: 1 })
    return stage
  }

  keep(bytes: Buffer): { digest: string; size: number } {
    const digest = digestOf(bytes)
    this.blobs.set(digest, bytes)
    return { digest, size: bytes.length }
  }

  push(
    tag: string,
    layers: readonly Files[],
    config: object = {},
    labels: object = { 'io.deis.runs-in': 'directory' },
  ): void {
    const archives = layers.map(archiveOf)
    const document = {
      config: { WorkingDir: '/app', Labels: labels, Env: ['A=b=c', 'PATH=/x'], ...config },
      rootfs: { diff_ids: archives.map(digestOf) },
    }
    const manifest = {
      config: { mediaType: mediaType.config, ...this.keep(Buffer.from(JSON.stringify(document))) },
      layers: archives.map(archive => ({ mediaType: mediaType.layer, ...this.keep(archive) })),
    }
    this.tags.set(tag, this.keep(Buffer.from(JSON.stringify(manifest))).digest)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.images.close()
    this.#server.close()
    this.#server.closeAllConnections()
    rmSync(this.directory, { recursive: true })
  }
}

test('upper layers add, replace and take away', async () => {
  await using stage = await Stage.start()
  stage.push('one', [
    { 'app/a': '1', 'app/b/c': '1', 'app/d/e': '1', 'app/f': '1', 'app/g/h': '1' },
    { 'app/a': '2', 'app/b/.wh.c': '', 'app/d/.wh..wh..opq': '', 'app/d/new': '2', 'app/f/x': '2', 'app/.wh.g': '' },
  ])
  const { directory, environment } = await stage.images.unpack('shop:one')
  expect(environment).toEqual({ A: 'b=c' })
  expect(readFileSync(join(directory, 'a'), 'utf8')).toBe('2')
  const found = readdirSync(directory, { recursive: true }).sort()
  expect(found).toEqual(['a', 'b', 'd', 'd/new', 'f', 'f/x'])
})

test('a layer is fetched once, an image made once; names hold while the registry is away', async () => {
  await using stage = await Stage.start()
  stage.push('one', [{ 'app/x': '1' }, { 'app/y': '1' }])
  stage.push('two', [{ 'app/x': '1' }, { 'app/y': '2' }])
  const both = await Promise.all([stage.images.unpack('shop:one'), stage.images.unpack('shop:one')])
  expect(both[0]).toEqual(both[1])
  await stage.images.unpack('shop:two')
  expect(stage.asked.filter(url => url.includes('/blobs/'))).toHaveLength(5)
  stage.isAway = true
  expect(await stage.images.unpack('shop:one')).toEqual(both[0])
  await expect(stage.images.unpack('shop:three')).rejects.toMatchObject({ kind: 'unreachable' })
})

test('what nothing runs in goes, but for what was asked for lately', async () => {
  await using stage = await Stage.start()
  const directories: string[] = []
  for (const tag of ['one', 'two', 'three', 'four']) {
    stage.push(tag, [{ 'app/x': '1' }, { 'app/y': tag }])
    directories.push((await stage.images.unpack(`shop:${tag}`)).directory)
  }
  await stage.images.sweep(new Set())
  expect(directories.map(existsSync)).toEqual([true, true, true, true])
  for (const [index, directory] of directories.entries())
    utimesSync(join(directory, '..', '..', 'image.json'), 1000 + index, 1000 + index)
  await stage.images.sweep(new Set([directories[1]!]))
  expect(directories.map(existsSync)).toEqual([false, true, false, true])
  expect(readdirSync(join(stage.directory, 'layers'))).toHaveLength(3)
  expect(readdirSync(join(stage.directory, 'references'))).toHaveLength(2)
  expect(existsSync((await stage.images.unpack('shop:one')).directory)).toBe(true)
})

const unusable: [name: string, push: (stage: Stage) => void, message: RegExp][] = [
  ['made from a Dockerfile', stage => stage.push('x', [{ 'app/a': '' }], {}, {}), /was made from a Dockerfile/],
  ['no working directory', stage => stage.push('x', [{ a: '' }]), /has not the directory/],
  [
    'a working directory upwards',
    stage => stage.push('x', [{ 'app/a': '' }], { WorkingDir: '/app/../..' }),
    /has not the/,
  ],
  [
    'no manifest',
    stage => stage.tags.set('x', stage.keep(Buffer.from('{')).digest),
    /cannot be fetched|cannot be used/,
  ],
  [
    'another layer than it says',
    stage => {
      stage.push('x', [{ 'app/a': '' }])
      const manifest = JSON.parse(stage.blobs.get(stage.tags.get('x')!)!.toString())
      stage.blobs.set(manifest.layers[0].digest, Buffer.alloc(manifest.layers[0].size))
    },
    /cannot be used/,
  ],
]
for (const [name, push, message] of unusable)
  test(`refused: ${name}`, async () => {
    await using stage = await Stage.start()
    push(stage)
    await expect(stage.images.unpack('shop:x')).rejects.toThrow(message)
    expect([...readdirSync(join(stage.directory, 'drafts')), ...readdirSync(join(stage.directory, 'images'))]).toEqual(
      [],
    )
  })

for (const image of ['elsewhere.example.com/shop:x', 'shop:none', '../shop', 'SHOP'])
  test(`not found: ${image}`, async () => {
    await using stage = await Stage.start()
    await expect(stage.images.unpack(image)).rejects.toThrow(`image ${image} not found`)
  })
