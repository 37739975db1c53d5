// The router's image as it lies in its archive: what it says about itself and what is in it. How it runs is shown by
// install.test.ts.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { version } from '#kit/version.ts'
import { run } from './command.ts'
import { routerImage, routerImageArchive } from './router-image.ts'

interface Descriptor {
  readonly digest: string
  readonly size: number
  readonly annotations?: Readonly<Record<string, string>>
}

interface Manifest {
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
}

interface Config {
  readonly User: string
  readonly Entrypoint: readonly string[]
  readonly WorkingDir: string
  readonly ExposedPorts: Readonly<Record<string, unknown>>
  readonly Labels: Readonly<Record<string, string>>
}

const directory = mkdtempSync(join(tmpdir(), 'deis-image-'))
let index: { readonly manifests: readonly Descriptor[] }
let manifest: Manifest
let config: Config
/** Absolute paths of regular files, in all layers. */
let files: readonly string[]

const blob = (digest: string) => join(directory, 'blobs', digest.replace(':', '/'))
const json = <T>(file: string) => JSON.parse(readFileSync(file, 'utf8')) as T

beforeAll(async () => {
  await run('tar', ['-C', directory, '-xf', await routerImageArchive()])
  index = json(join(directory, 'index.json'))
  manifest = json(blob(index.manifests[0]!.digest))
  config = json<{ config: Config }>(blob(manifest.config.digest)).config
  const listings = await Promise.all(manifest.layers.map(({ digest }) => run('tar', ['-tf', blob(digest)])))
  files = listings
    .flatMap(listing => listing.split('\n'))
    .filter(path => path !== '' && !path.endsWith('/'))
    .map(path => `/${path.replace(/^\.?\//, '')}`)
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

describe('configuration', () => {
  test('one image, under its name', () => {
    expect(index.manifests.map(each => each.annotations?.['org.opencontainers.image.ref.name'])).toEqual([routerImage])
  })

  test('a user by number that is not root', () => expect(config.User).toMatch(/^[1-9]\d*:[1-9]\d*$/))

  test('Node runs the router, without a shell between', () => {
    expect(config.Entrypoint).toEqual(['node', 'router/main.ts'])
    expect(files).toContain(join(config.WorkingDir, 'router/main.ts'))
  })

  test('ports that need no capability', () => {
    const ports = Object.keys(config.ExposedPorts)
    expect(ports.sort()).toEqual(['2222/tcp', '6443/tcp', '8080/tcp', '9090/tcp'])
  })

  test('labels that say what it is', () => {
    expect(config.Labels).toMatchObject({
      'org.opencontainers.image.title': 'deis-router',
      'org.opencontainers.image.version': version,
      'org.opencontainers.image.licenses': 'Apache-2.0',
    })
  })
})

describe('contents', () => {
  test('the licence and every package that is needed are there', () => {
    const { dependencies } = json<{ dependencies: Record<string, string> }>(
      new URL('../../package.json', import.meta.url).pathname,
    )
    const wanted = Object.keys(dependencies).map(name => `/app/node_modules/${name}/package.json`)
    expect(['/app/LICENSE', '/app/package.json', ...wanted].filter(path => !files.includes(path))).toEqual([])
  })

  test('what Node compiled is there', () => {
    const compiled = files.filter(path => path.startsWith('/app/compiled/'))
    expect(compiled.length).toBeGreaterThan(files.filter(path => /^\/app\/(kit|kube|router)\//.test(path)).length)
  })

  const unwanted: [name: string, pattern: RegExp][] = [
    ['tests', /^\/app\/(kit|kube|router)\/.*(\.test\.ts|\/testdata\/)/],
    ['other parts of this project', /^\/app\/(bench|test|standalone|docs|examples|charts|scripts)\//],
    ['tools of development', /^\/app\/node_modules\/(typescript|vitest|@biomejs|@types|knip|node-linux-[^/]+)\//],
    ['source maps and declarations', /\.(map|d\.ts|d\.mts|d\.cts)$/],
    ['package managers of Node', /\/(npm|npx|yarn|corepack)$/],
    ['compilers', /\/bin\/(gcc|g\+\+|cc|make|python3?)$/],
  ]
  for (const [name, pattern] of unwanted)
    test(`no ${name}`, () => expect(files.filter(path => pattern.test(path))).toEqual([]))

  test('less than 120 MB to fetch', () => {
    const bytes = manifest.layers.reduce((sum, { size }) => sum + size, 0)
    console.log(`${(bytes / 1e6).toFixed(1)} MB in ${manifest.layers.length} layers, ${files.length} files`)
    expect(bytes).toBeLessThan(120e6)
  })
})
