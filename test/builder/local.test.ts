// Local builds from the pusher's side (builder contract, sections 4 and 7): real programs, and a real registry that the
// images are pushed to.

import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BuildError } from '#builder/build/strategy.ts'
import { label, readImageConfig, readManifest } from '#kit/oci/manifest.ts'
import { Registry } from '#kit/oci/registry.ts'
import { BuildStage, commit, writeFiles } from '#test/support/build-stage.ts'
import { type OwnRegistry, startOwnRegistry } from '#test/support/own-registry.ts'

const signal = AbortSignal.timeout(120_000)
const example = (name: string): URL => new URL(`../../examples/${name}/`, import.meta.url)
/** Says no word, and takes every app. */
const anyBuildpack = { 'index.html': 'x' }

describe('with a registry', () => {
  let registry: OwnRegistry
  beforeAll(async () => {
    registry = await startOwnRegistry()
  })
  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
  })

  async function imageOf(app: string) {
    const client = new Registry({ url: registry.url, authorize: null, userAgent: 'test' })
    const found = await client.manifest(app, `git-${commit.slice(0, 8)}`, signal)
    const manifest = readManifest(found!.bytes.toString())
    if (!('config' in manifest)) throw new Error('an index')
    const config = readImageConfig((await client.smallBlob(app, manifest.config, 1e6, signal)).toString())
    await client.close()
    return { digest: found!.digest, manifest, config }
  }

  test('section 4: what the pusher of a small Node app sees', async () => {
    await using stage = await BuildStage.start(registry.url)
    const result = await stage.build(example('node-app'), { app: 'node-app' })
    expect(result).toEqual({ image: 'node-app:git-1a2b3c4d', procfile: { web: 'npm start' }, fromDockerfile: false })
    expect(stage.lines.slice(0, -1)).toEqual([
      '-----> Restoring cache...',
      '       No cache file found. If this is the first deploy, it will be created now.',
      '-----> Node app detected',
      '-----> Discovering process types',
      '       Default process types for Node -> web',
      '-----> Checking for changes inside the cache directory...',
    ])
    expect(stage.lines.at(-1)).toMatch(/^-----> Compiled slug size is [\d.]+K$/)
    const { config } = await imageOf('node-app')
    expect(config.workingDirectory).toBe('/app')
    expect(config.exposedPorts).toEqual(['5000/tcp'])
    expect(JSON.parse(config.labels[label.procfile]!)).toEqual({ web: 'npm start' })
    expect(await readdir(join(stage.state, 'builds'))).toEqual([])
    await stage.build(example('node-app'), { app: 'node-app' })
    expect(stage.lines.slice(0, 2)).toEqual(['-----> Restoring cache...', '       Done!'])
  })

  const kinds: [name: string, app: string, types: Record<string, string>, text: string][] = [
    ['Python', 'python-app', { web: 'exec python3 app.py' }, '       Procfile declares types -> web'],
    [
      'Static',
      'static-app',
      { web: 'exec node .deis/static-server.mjs .' },
      '       Default process types for Static -> web',
    ],
  ]
  for (const [name, app, procfile, text] of kinds)
    test(`section 4: a ${name} app`, async () => {
      await using stage = await BuildStage.start(registry.url)
      const result = await stage.build(example(app), { app })
      expect(result.procfile).toEqual(procfile)
      expect(stage.lines).toContain(`-----> ${name} app detected`)
      expect(stage.lines).toContain(text)
    })

  test('the same source gives the same digest, wherever it is built', async () => {
    const digests: string[] = []
    for (const app of ['python-app', 'node-app', 'python-app', 'node-app']) {
      await using stage = await BuildStage.start(registry.url)
      await stage.build(example(app), { app: `same-${app}` })
      digests.push((await imageOf(`same-${app}`)).digest)
    }
    expect(digests.slice(2)).toEqual(digests.slice(0, 2))
  })

  test('dependencies are a layer of their own, and are not sent again', async () => {
    await using stage = await BuildStage.start(registry.url)
    const files = {
      'package.json': JSON.stringify({ dependencies: { left: 'file:left' } }),
      'package-lock.json': JSON.stringify({
        lockfileVersion: 3,
        packages: {
          '': { dependencies: { left: 'file:left' } },
          left: { version: '1.0.0' },
          'node_modules/left': { resolved: 'left', link: true },
        },
      }),
      'left/package.json': JSON.stringify({ name: 'left', version: '1.0.0' }),
      'app.js': '1',
    }
    await stage.build(files, { app: 'layers' })
    expect(stage.lines).toContain('-----> Installing dependencies')
    const first = await imageOf('layers')
    await stage.build({ ...files, 'app.js': '2' }, { app: 'layers' })
    expect(stage.lines).toContain('-----> Dependencies are those of the last build')
    const second = await imageOf('layers')
    expect(first.manifest.layers).toHaveLength(2)
    expect(second.manifest.layers[0]).toEqual(first.manifest.layers[0])
    expect(second.manifest.layers[1]).not.toEqual(first.manifest.layers[1])
  })

  test('section 7: pre- and post-compile, .slugignore, the config as files, the environment', async () => {
    await using stage = await BuildStage.start(registry.url)
    const result = await stage.build(
      {
        ...anyBuildpack,
        'bin/pre-compile': '#!/bin/sh\necho "pre $SOURCE_VERSION $(cat "$3/GREETING") $GREETING. $DEIS_BUILDER_KEY."\n',
        'bin/post-compile': '#!/bin/sh\necho -- post; echo "web: true" >Procfile\n',
        '.slugignore': '*.log\n/docs\n',
        'a/b.log': 'x',
        'docs/c': 'x',
      },
      { app: 'hooks', config: { GREETING: 'hello' } },
    )
    expect(stage.lines).toContain('       pre 1a2b3c4d hello . .')
    expect(stage.lines).toContain('-- post')
    expect(result.procfile).toEqual({ web: 'true' })
  })

  const failures: [name: string, files: Record<string, string>, message: RegExp, line: string | null][] = [
    [
      'no buildpack wants it',
      { a: 'x' },
      /^Build exited with code 1, stopping build\.$/,
      '-----> Unable to select a buildpack',
    ],
    [
      'a program fails',
      { ...anyBuildpack, 'bin/post-compile': '#!/bin/sh\necho why; exit 7\n' },
      /code 7, stopping build/,
      '       why',
    ],
    ['a Procfile that is none', { ...anyBuildpack, Procfile: '- a\n- b\n' }, /^procfile Procfile is malformed$/, null],
    ['aliases in a Procfile', { ...anyBuildpack, Procfile: 'a: &x y\nb: *x\n' }, /malformed/, null],
    [
      'a package.json that is none',
      { 'package.json': '{' },
      /code 1, stopping build/,
      '       package.json cannot be read',
    ],
  ]
  for (const [name, files, message, line] of failures)
    test(`fails: ${name}`, async () => {
      await using stage = await BuildStage.start(registry.url)
      const error: BuildError = await stage.build(files).catch(error => error)
      expect(error.kind).toBe('failed')
      expect(error.message).toMatch(message)
      if (line !== null) expect(stage.lines).toContain(line)
      expect(await readdir(join(stage.state, 'builds'))).toEqual([])
    })

  const limits: [name: string, script: string, limits: object, message: RegExp][] = [
    ['time', 'sleep 60', { time: 500 }, /took longer than 0\.5 s, and was stopped/],
    [
      'memory',
      `exec node -e 'const a=[];setInterval(()=>a.push(Buffer.alloc(3e7,1)),10)'`,
      { memory: 2e8 },
      /held more than 190 MB of memory/,
    ],
    [
      'disk',
      'while :; do head -c 1000000 /dev/zero; done >big',
      { disk: { bytes: 2e7, files: 1000 } },
      /wrote more than 19 MB/,
    ],
    [
      'files',
      'i=0; while :; do i=$((i+1)); : >f$i; done',
      { disk: { bytes: 1e9, files: 300 } },
      /made more than 300 files/,
    ],
  ]
  for (const [name, script, given, message] of limits)
    test(`ends a build beyond its limit of ${name}`, async () => {
      await using stage = await BuildStage.start(registry.url, { limits: given, interval: 50 })
      const building = stage.build({ ...anyBuildpack, 'bin/pre-compile': `#!/bin/sh\ncd "$1"\n${script}\n` })
      await expect(building).rejects.toThrow(message)
      expect(await readdir(join(stage.state, 'processes'))).toEqual([])
    })

  test('ends with whoever asked for it, and leaves nothing running', async () => {
    await using stage = await BuildStage.start(registry.url)
    const over = new AbortController()
    const building = stage.build(
      { ...anyBuildpack, 'bin/pre-compile': '#!/bin/sh\necho ready\nsleep 60\n' },
      { signal: over.signal, onLine: line => line.endsWith('ready') && over.abort(new Error('gone')) },
    )
    await expect(building).rejects.toThrow('gone')
    expect(await readdir(join(stage.state, 'processes'))).toEqual([])
  })

  test('what says too much is cut, and its end is shown', async () => {
    await using stage = await BuildStage.start(registry.url)
    const script = '#!/bin/sh\nyes "0123456789012345678901234567890123456789" | head -n 150000\necho the end\nexit 1\n'
    await expect(stage.build({ ...anyBuildpack, 'bin/pre-compile': script })).rejects.toThrow('code 1')
    expect(stage.lines.length).toBeLessThan(110_000)
    expect(stage.lines.at(-1)).toBe('       the end')
  })

  test('DEIS_DISABLE_CACHE, and the cache of an app that is gone', async () => {
    await using stage = await BuildStage.start(registry.url)
    const keep = { ...anyBuildpack, 'bin/pre-compile': '#!/bin/sh\nls "$2"; echo x >"$2/kept"\n' }
    await stage.build(keep)
    await stage.build(keep)
    expect(stage.lines).toContain('       kept')
    await stage.build(keep, { config: { DEIS_DISABLE_CACHE: '1' } })
    expect(stage.output).not.toMatch(/kept|cache/)
    await stage.build(keep)
    expect(stage.lines).not.toContain('       kept')
    await stage.strategy.forget('shop')
    expect(await readdir(join(stage.state, 'caches'))).toEqual([])
  })
})

describe('BUILDPACK_URL', () => {
  const buildpack = {
    'bin/detect': '#!/bin/sh\necho Mine\n',
    'bin/compile':
      '#!/bin/sh\necho "-----> compiling"; echo "version $(cat "$(dirname "$0")/../version")"; touch "$1/made"\n',
    'bin/release': '#!/bin/sh\necho "default_process_types:"; echo "  web: run it"; echo "config_vars: {A: b}"\n',
    version: 'one',
  }
  const git = (directory: string, ...args: readonly string[]): string => {
    const identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.com', '-c', 'init.defaultBranch=main']
    const { status, stdout, stderr } = spawnSync('git', ['-C', directory, ...identity, ...args], { encoding: 'utf8' })
    if (status !== 0) throw new Error(stderr)
    return stdout.trim()
  }

  // A server of files knows no shallow clones: the whole repository is taken.
  test('a repository by its branch, tag and commit', async () => {
    await using stack = new AsyncDisposableStack()
    const registry = stack.use(await startOwnRegistry())
    const stage = stack.use(await BuildStage.start(registry.url))
    const repository = join(stage.directory, 'buildpack')
    await writeFiles(repository, buildpack)
    git(repository, 'init', '--quiet')
    git(repository, 'add', '.')
    git(repository, 'commit', '--quiet', '-m', 'one')
    git(repository, 'tag', 'v1')
    const first = git(repository, 'rev-parse', 'HEAD')
    await writeFiles(repository, { version: 'two' })
    git(repository, 'commit', '--quiet', '-am', 'two')
    git(repository, 'update-server-info')
    const server = createServer((request, response) => {
      readFile(join(repository, '.git', request.url!.split('?')[0]!)).then(
        bytes => response.end(bytes),
        () => response.writeHead(404).end(),
      )
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    stack.defer(() => void server.close())
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    for (const [ref, version] of [
      ['', 'two'],
      ['#main', 'two'],
      ['#v1', 'one'],
      [`#${first}`, 'one'],
    ]) {
      const result = await stage.build({ a: 'x' }, { config: { BUILDPACK_URL: url + ref } })
      expect(result.procfile).toEqual({ web: 'run it' })
      expect(stage.lines.slice(2, 6)).toEqual([
        '-----> Fetching custom buildpack',
        '-----> Mine app detected',
        '-----> compiling',
        `       version ${version}`,
      ])
    }
    const away = stage.build({ a: 'x' }, { config: { BUILDPACK_URL: `${url}/nowhere#v9` } })
    await expect(away).rejects.toThrow('The buildpack cannot be fetched.')
    expect(stage.output).toContain('not found')
  })
})

const noEngine = spawnSync('buildah', ['--version']).status !== 0 || process.getuid?.() !== 0

test.skipIf(noEngine)('section 8: a Dockerfile, and one that is none', { timeout: 60_000 }, async () => {
  await using registry = await startOwnRegistry()
  await using stage = await BuildStage.start(registry.url)
  const dockerfile = 'FROM scratch\nCOPY a /a\nEXPOSE 8080\nCMD ["/a"]\n'
  const config = { DEIS_DOCKER_BUILD_ARGS_ENABLED: '1', COLOR: 'blue' }
  const result = await stage.build({ Dockerfile: dockerfile, a: 'x', Procfile: 'web: /a\n' }, { app: 'docked', config })
  expect(result).toEqual({ image: 'docked:git-1a2b3c4d', procfile: { web: '/a' }, fromDockerfile: true })
  expect(stage.output).toMatch(/ARG COLOR\n(?:.*\n)*Pushing to registry\n/)
  expect(stage.output).not.toContain('blue')
  const tags = await (await fetch(new URL('/v2/docked/tags/list', registry.url))).json()
  expect(tags).toEqual({ name: 'docked', tags: ['git-1a2b3c4d'] })
  const error: BuildError = await stage.build({ Dockerfile: 'FROM scratch\nBOGUS\n' }).catch(error => error)
  expect(error.message).toBe('Build exited with code 1, stopping build.')
  expect(stage.output).toContain('Unknown instruction: "BOGUS"')
})

test('a Dockerfile without an engine is refused, and says what to do', async () => {
  await using stage = await BuildStage.start(new URL('http://127.0.0.1:9'), { path: '/nowhere' })
  const error: BuildError = await stage.build({ Dockerfile: 'FROM scratch\n' }).catch(error => error)
  expect(error.kind).toBe('refused')
  expect(error.message).toMatch(/takes a container engine, and there is none on this machine\. Install podman/)
})

test('a registry that is away is nobody elses fault', async () => {
  await using stage = await BuildStage.start(new URL('http://127.0.0.1:9'))
  const error: BuildError = await stage.build(anyBuildpack).catch(error => error)
  expect(error.kind).toBe('lost')
  expect(error.message).toMatch(/^The image cannot be pushed: the registry does not answer: ECONNREFUSED/)
})

for (const url of ['file:///etc', '/etc', '--upload-pack=x', 'https://example.com/x#-b', 'ext::sh -c true'])
  test(`BUILDPACK_URL ${url} is no repository`, async () => {
    await using stage = await BuildStage.start(new URL('http://127.0.0.1:9'))
    await expect(stage.build(anyBuildpack, { config: { BUILDPACK_URL: url } })).rejects.toThrow(
      'BUILDPACK_URL is no URL',
    )
  })
