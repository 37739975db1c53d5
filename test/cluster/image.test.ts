// The images of the platform as they lie in their archives: what they say about themselves and what is in them. How they run
// is shown by install.test.ts and workflow.test.ts.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { version } from '#kit/version.ts'
import { run } from './command.ts'
import { type PlatformImage, platformImageArchive, platformImages } from './platform-images.ts'

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

interface Wanted {
  readonly entry: readonly string[]
  readonly programs: readonly string[]
  readonly ports: string
  /** Rooms of ours that it has no use for. */
  readonly without: RegExp
  readonly megabytes: number
}

const images: Readonly<Record<PlatformImage, Wanted>> = {
  router: {
    entry: ['node', 'router/main.ts'],
    programs: ['router/main.ts', 'router/data/main.ts'],
    ports: '2222 6443 8080 9090',
    without: /^\/app\/(store|controller|registry|logger|builder)\//,
    megabytes: 120,
  },
  workflow: {
    entry: ['node'],
    programs: [
      'controller/main.ts',
      'registry/main.ts',
      'registry/proxy/main.ts',
      'logger/main.ts',
      'logger/collector/main.ts',
    ],
    ports: '1514 5000 5001 5555 8000 8088 8089 8090 9091 9092 9093',
    without: /^\/app\/(router|builder)\//,
    megabytes: 120,
  },
  builder: {
    entry: ['node', 'builder/main.ts'],
    programs: ['builder/main.ts', 'builder/build/kubernetes/fetch/main.ts'],
    ports: '2223 8092 8093',
    without: /^\/app\/router\//,
    megabytes: 180,
  },
}

describe.each(Object.entries(images) as [PlatformImage, Wanted][])('%s', (name, wanted) => {
  const directory = mkdtempSync(join(tmpdir(), 'deis-image-'))
  let index: { readonly manifests: readonly Descriptor[] }
  let manifest: Manifest
  let config: Config
  /** Absolute paths of regular files, in all layers. */
  let files: readonly string[]

  const blob = (digest: string) => join(directory, 'blobs', digest.replace(':', '/'))
  const json = <T>(file: string) => JSON.parse(readFileSync(file, 'utf8')) as T

  beforeAll(async () => {
    await run('tar', ['-C', directory, '-xf', await platformImageArchive(name)])
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
      const names = index.manifests.map(each => each.annotations?.['org.opencontainers.image.ref.name'])
      expect(names).toEqual([platformImages[name]])
    })

    test('a user by number that is not root', () => expect(config.User).toMatch(/^[1-9]\d*:[1-9]\d*$/))

    test('Node runs its programs, without a shell between', () => {
      expect(config.Entrypoint).toEqual(wanted.entry)
      const missing = wanted.programs.filter(program => !files.includes(join(config.WorkingDir, program)))
      expect(missing).toEqual([])
    })

    test('ports that need no capability', () => {
      const ports = Object.keys(config.ExposedPorts).map(port => port.replace('/tcp', ''))
      expect(ports.sort().join(' ')).toBe(wanted.ports)
    })

    test('labels that say what it is', () => {
      expect(config.Labels).toMatchObject({
        'org.opencontainers.image.title': `deis-${name}`,
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
      const packages = Object.keys(dependencies).map(each => `/app/node_modules/${each}/package.json`)
      const needed = ['/app/LICENSE', '/app/package.json', ...packages]
      expect(needed.filter(path => !files.includes(path))).toEqual([])
    })

    test('what Node compiled is there', () => {
      const compiled = files.filter(path => path.startsWith('/app/compiled/'))
      expect(compiled.length).toBeGreaterThan(100)
    })

    const unwanted: [name: string, pattern: RegExp][] = [
      ['tests', /^\/app\/(?!node_modules\/).*(\.test\.ts|\/testdata\/)/],
      ['what only other images run', wanted.without],
      ['other parts of this project', /^\/app\/(bench|test|standalone|docs|examples|charts|scripts)\//],
      ['tools of development', /^\/app\/node_modules\/(typescript|vitest|@biomejs|@types|knip|node-linux-[^/]+)\//],
      ['source maps and declarations', /\.(map|d\.ts|d\.mts|d\.cts)$/],
      ['package managers of Node', /\/(npm|npx|yarn|corepack)$/],
      ['compilers', /\/bin\/(gcc|g\+\+|cc|make|python3?)$/],
    ]
    for (const [what, pattern] of unwanted)
      test(`no ${what}`, () => expect(files.filter(path => pattern.test(path))).toEqual([]))

    test(`less than ${wanted.megabytes} MB to fetch`, () => {
      const bytes = manifest.layers.reduce((sum, { size }) => sum + size, 0)
      console.log(`${name}: ${(bytes / 1e6).toFixed(1)} MB in ${manifest.layers.length} layers, ${files.length} files`)
      expect(bytes).toBeLessThan(wanted.megabytes * 1e6)
    })
  })
})
