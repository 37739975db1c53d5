// Stands in for the lifecycle of Cloud Native Buildpacks, whose program cannot be had from where tests get theirs: what
// of the platform interface our Jobs use, on the same flags, files and variables. It detects and builds with the
// buildpacks of an order, and puts an image on the run image in a registry without TLS. Written for the tests; it shows
// that our side keeps the interface, not that the lifecycle does.

import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'

const flags = new Map<string, string>()
const names: string[] = []
for (const word of process.argv.slice(2)) {
  const [, name, value = 'true'] = /^-([a-z-]+)(?:=(.*))?$/.exec(word) ?? []
  if (name === undefined) names.push(word)
  else flags.set(name, value)
}
const known = ['app', 'layers', 'platform', 'uid', 'gid', 'buildpacks', 'order', 'run-image', 'cache-image']
for (const name of flags.keys())
  if (![...known, 'skip-restore', 'previous-image', 'tag'].includes(name))
    fail(3, `flag provided but not defined: -${name}`)
if (names.length !== 1) fail(3, `received ${names.length} arguments, but expected 1`)
if (process.env.CNB_PLATFORM_API === undefined) fail(11, 'please set CNB_PLATFORM_API')
for (const [flag, call] of [
  ['uid', process.getuid],
  ['gid', process.getgid],
] as const)
  if (String(call!()) !== flags.get(flag)) fail(1, `${flag} is ${call!()}`)

const image = names[0]!
const [app, layers, platform] = [flags.get('app')!, flags.get('layers')!, flags.get('platform')!]
const registry = image.slice(0, image.indexOf('/'))
if (process.env.CNB_INSECURE_REGISTRIES !== registry) fail(1, 'the registry has no TLS, and that is not allowed')
const auth = (JSON.parse(process.env.CNB_REGISTRY_AUTH ?? '{}') as Record<string, string>)[registry]

function fail(code: number, text: string): never {
  process.stderr.write(`ERROR: ${text}\n`)
  process.exit(code)
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

async function call(method: string, path: string, body?: Buffer, type?: string): Promise<Response> {
  const headers = {
    ...(auth === undefined ? {} : { authorization: auth }),
    ...(type === undefined ? {} : { 'content-type': type }),
  }
  const response = await fetch(`http://${registry}/v2/${path}`, {
    method,
    headers: {
      ...headers,
      accept: 'application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json, */*',
    },
    body: body ?? null,
  })
  if (response.status >= 400 && response.status !== 404) fail(1, `${method} ${path}: ${response.status}`)
  return response
}

const digestOf = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

async function upload(repository: string, bytes: Buffer): Promise<{ digest: string; size: number }> {
  const begun = await call('POST', `${repository}/blobs/uploads/`)
  const location = new URL(begun.headers.get('location')!, `http://${registry}`)
  location.searchParams.set('digest', digestOf(bytes))
  await call('PUT', (location.pathname + location.search).slice('/v2/'.length), bytes, 'application/octet-stream')
  return { digest: digestOf(bytes), size: bytes.length }
}

interface Stored {
  config: { digest: string }
  layers: { mediaType: string; digest: string; size: number }[]
}

function split(reference: string): [repository: string, tag: string] {
  const at = reference.lastIndexOf(':')
  return [reference.slice(reference.indexOf('/') + 1, at), reference.slice(at + 1)]
}

async function manifestOf(reference: string): Promise<Stored | null> {
  const [repository, tag] = split(reference)
  const response = await call('GET', `${repository}/manifests/${tag}`)
  return response.status === 404 ? null : ((await response.json()) as Stored)
}

async function put(reference: string, base: Stored['layers'], config: object, layer: Buffer): Promise<void> {
  const [repository, tag] = split(reference)
  const packed = gzipSync(layer)
  const written = await upload(repository, packed)
  const text = Buffer.from(JSON.stringify(config))
  const document = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...(await upload(repository, text)) },
    layers: [...base, { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', ...written }],
  }
  await call('PUT', `${repository}/manifests/${tag}`, Buffer.from(JSON.stringify(document)), document.mediaType)
}

interface Buildpack {
  readonly id: string
  readonly directory: string
}

function ordered(): Buildpack[][] {
  const text = readFileSync(flags.get('order') ?? '/cnb/order.toml', 'utf8')
  const root = flags.get('buildpacks') ?? '/cnb/buildpacks'
  return text
    .split('[[order]]')
    .slice(1)
    .map(order =>
      [...order.matchAll(/id = "([^"]+)"\nversion = "([^"]+)"/g)].map(([, id = '', version = '']) => ({
        id,
        directory: join(root, id.replaceAll('/', '_'), version),
      })),
    )
}

/** Nothing of ours is in the environment of a buildpack, but what the app was configured with. */
function environment(): NodeJS.ProcessEnv {
  const directory = join(platform, 'env')
  const files = existsSync(directory) ? readdirSync(directory).filter(name => !name.startsWith('.')) : []
  const values = Object.fromEntries(files.map(name => [name, readFileSync(join(directory, name), 'utf8')]))
  return { ...values, PATH: process.env.PATH, HOME: '/home/cnb' }
}

say('===> ANALYZING')
const runImage = flags.get('run-image')
const base = runImage === undefined ? null : await manifestOf(runImage)
if (base === null) fail(1, 'there is no run image')
say('===> DETECTING')
const scratch = mkdtempSync(join(tmpdir(), 'creator-'))
const plan = join(scratch, 'plan.toml')
writeFileSync(plan, '')
const env = environment()
const group = ordered().find(buildpacks =>
  buildpacks.every(({ directory }) => {
    const { status } = spawnSync(join(directory, 'bin/detect'), [platform, plan], {
      cwd: app,
      env: { ...env, CNB_BUILDPACK_DIR: directory },
      stdio: 'inherit',
    })
    return status === 0
  }),
)
if (group === undefined) fail(20, 'No buildpack groups passed detection.')
for (const { id } of group) say(id)
if (!flags.has('skip-restore')) {
  say('===> RESTORING')
  const cache = flags.get('cache-image')
  const found = cache === undefined ? null : await manifestOf(cache)
  if (found !== null) {
    const blob = await call('GET', `${split(cache!)[0]}/blobs/${found.layers[0]!.digest}`)
    execFileSync('tar', ['-C', layers, '-xf', '-'], { input: gunzipSync(Buffer.from(await blob.arrayBuffer())) })
    say('Restoring data from cache')
  }
}
say('===> BUILDING')
const processes: { type: string; command: string[]; direct: boolean }[] = []
for (const { id, directory } of group) {
  const own = join(layers, id.replaceAll('/', '_'))
  mkdirSync(own, { recursive: true })
  const { status } = spawnSync(join(directory, 'bin/build'), [own, platform, plan], {
    cwd: app,
    env: { ...env, CNB_BUILDPACK_DIR: directory },
    stdio: 'inherit',
  })
  if (status !== 0) fail(51, `failed to build: exit status ${status}`)
  const launch = existsSync(join(own, 'launch.toml')) ? readFileSync(join(own, 'launch.toml'), 'utf8') : ''
  for (const [, type = '', command = ''] of launch.matchAll(/type = "([^"]+)"\ncommand = (\[.*\])/g))
    processes.push({ type, command: JSON.parse(command) as string[], direct: true })
}
say('===> EXPORTING')
mkdirSync(join(layers, 'processes'), { recursive: true })
const links = join(scratch, 'root/cnb/process')
mkdirSync(links, { recursive: true })
mkdirSync(join(scratch, 'root/cnb/lifecycle'))
writeFileSync(join(scratch, 'root/cnb/lifecycle/launcher'), readFileSync('/cnb/lifecycle/launcher'), { mode: 0o755 })
for (const { type, command } of processes) {
  writeFileSync(join(layers, 'processes', type), command.join(' '))
  symlinkSync('/cnb/lifecycle/launcher', join(links, type))
}
const maxBuffer = 2 ** 30
const files = execFileSync(
  'tar',
  ['-cf', '-', '-C', join(scratch, 'root'), 'cnb', '-C', '/', app.slice(1), layers.slice(1)],
  { maxBuffer },
)
const response = await call('GET', `${split(runImage!)[0]}/blobs/${base.config.digest}`)
const config = (await response.json()) as { config: Record<string, unknown>; rootfs: { diff_ids: string[] } }
const labels = {
  'io.buildpacks.build.metadata': JSON.stringify({ buildpacks: group.map(({ id }) => ({ id })), processes }),
}
const whole = {
  ...config,
  history: undefined,
  config: {
    ...config.config,
    Entrypoint: ['/cnb/process/web'],
    WorkingDir: app,
    Labels: labels,
    ExposedPorts: { '5000/tcp': {} },
  },
  rootfs: { type: 'layers', diff_ids: [...config.rootfs.diff_ids, digestOf(files)] },
}
for (const { digest } of base.layers)
  await call('POST', `${split(image)[0]}/blobs/uploads/?mount=${digest}&from=${split(runImage!)[0]}`)
for (const reference of [image, flags.get('tag')])
  if (reference !== undefined) await put(reference, base.layers, whole, files)
say(`*** Images (${image})`)
const cache = flags.get('cache-image')
if (cache !== undefined) {
  const kept = execFileSync('tar', ['-cf', '-', '-C', layers, ...readdirSync(layers)], { maxBuffer })
  const document = {
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: [digestOf(kept)] },
  }
  await put(cache, [], document, kept)
  say('Adding cache layer')
}
