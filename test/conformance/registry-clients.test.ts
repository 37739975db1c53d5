// Clients that people use, against a registry process: skopeo, buildah, containerd's ctr, and crane (Go's
// go-containerregistry). What each pushed, another one pulls.

import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cached } from '#test/cluster/binaries.ts'
import { run } from '#test/cluster/command.ts'
import { ensurePackages, isRoot } from '#test/cluster/machine.ts'
import { type RegistryPorts, type ServiceProcess, startRegistry } from '#test/support/service-process.ts'

const craneVersion = 'v0.20.6'

let directory: string
let registry: ServiceProcess<RegistryPorts>
let host: string
let crane: string

beforeAll(async () => {
  await ensurePackages(['skopeo', 'buildah', 'containerd'])
  const built = await cached('crane', [craneVersion, process.arch], async target => {
    const module = `github.com/google/go-containerregistry/cmd/crane@${craneVersion}`
    await run('nice', ['-n', '10', 'go', 'install', '-trimpath', module], { env: { CGO_ENABLED: '0', GOBIN: target } })
  })
  crane = join(built, 'crane')
  directory = await mkdtemp(join(tmpdir(), 'registry-clients-'))
  registry = await startRegistry(['--folder', join(directory, 'store')])
  host = `127.0.0.1:${registry.up.port}`
  await writeLayout(join(directory, 'layout'))
})
afterAll(async () => {
  await registry[Symbol.asyncDispose]()
  await rm(directory, { recursive: true, force: true })
})

/** An image in an OCI layout: one layer with one file. */
async function writeLayout(path: string): Promise<void> {
  const blobs = join(path, 'blobs', 'sha256')
  await mkdir(blobs, { recursive: true })
  const file = join(directory, 'hello')
  await writeFile(file, 'hello\n')
  const layerFile = join(directory, 'layer.tar')
  await run('tar', ['-C', directory, '-cf', layerFile, 'hello'])
  const put = async (content: string | Buffer): Promise<{ digest: string; size: number }> => {
    const hex = createHash('sha256').update(content).digest('hex')
    await writeFile(join(blobs, hex), content)
    return { digest: `sha256:${hex}`, size: Buffer.byteLength(content) }
  }
  const oci = 'application/vnd.oci.image'
  const tar = await readFile(layerFile)
  const layer = await put(gzipSync(tar))
  const rootfs = { type: 'layers', diff_ids: [`sha256:${createHash('sha256').update(tar).digest('hex')}`] }
  const config = await put(JSON.stringify({ architecture: 'amd64', os: 'linux', config: {}, rootfs, history: [] }))
  const mediaType = `${oci}.manifest.v1+json`
  const manifest = await put(
    JSON.stringify({
      schemaVersion: 2,
      mediaType,
      config: { mediaType: `${oci}.config.v1+json`, ...config },
      layers: [{ mediaType: `${oci}.layer.v1.tar+gzip`, ...layer }],
    }),
  )
  const annotations = { 'org.opencontainers.image.ref.name': 'one' }
  await writeFile(
    join(path, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [{ mediaType, ...manifest, annotations }] }),
  )
  await writeFile(join(path, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
}

const skopeo = (...args: string[]): Promise<string> =>
  run('skopeo', ['--insecure-policy', ...args], { timeout: 60_000 })

test('skopeo: push, inspect, list, copy between repositories, pull, delete', async () => {
  await skopeo('copy', '--dest-tls-verify=false', `oci:${directory}/layout:one`, `docker://${host}/skopeo/a:one`)
  const about = JSON.parse(await skopeo('inspect', '--tls-verify=false', `docker://${host}/skopeo/a:one`))
  expect(about).toMatchObject({ RepoTags: ['one'], Architecture: 'amd64' })
  const both = ['--src-tls-verify=false', '--dest-tls-verify=false']
  await skopeo('copy', ...both, '--format', 'v2s2', `docker://${host}/skopeo/a:one`, `docker://${host}/skopeo/b/c:two`)
  expect(JSON.parse(await skopeo('list-tags', '--tls-verify=false', `docker://${host}/skopeo/b/c`)).Tags).toEqual([
    'two',
  ])
  await skopeo('copy', '--src-tls-verify=false', `docker://${host}/skopeo/b/c:two`, `dir:${directory}/pulled`)
  await skopeo('delete', '--tls-verify=false', `docker://${host}/skopeo/b/c:two`)
  await expect(skopeo('inspect', '--tls-verify=false', `docker://${host}/skopeo/b/c:two`)).rejects.toThrow()
})

test('crane: push, digest, tags, catalog, copy, validate', async () => {
  const call = (...args: string[]): Promise<string> => run(crane, ['--insecure', ...args], { timeout: 60_000 })
  await call('push', join(directory, 'layout'), `${host}/crane/a:one`)
  await call('copy', `${host}/crane/a:one`, `${host}/crane/b:one`)
  await call('tag', `${host}/crane/b:one`, 'two')
  expect((await call('ls', `${host}/crane/b`)).trim()).toBe('one\ntwo')
  expect((await call('catalog', host)).split('\n')).toContain('crane/b')
  expect(await call('digest', `${host}/crane/a:one`)).toBe(await call('digest', `${host}/crane/b:two`))
  await call('validate', '--remote', `${host}/crane/b:two`)
})

describe.skipIf(!isRoot)('as root', () => {
  test('buildah: pull what skopeo pushed, push it anew', async () => {
    const storage = [
      '--root',
      join(directory, 'buildah'),
      '--runroot',
      join(directory, 'buildah-run'),
      '--storage-driver',
      'vfs',
    ]
    const buildah = (...args: string[]): Promise<string> => run('buildah', [...storage, ...args], { timeout: 60_000 })
    await skopeo('copy', '--dest-tls-verify=false', `oci:${directory}/layout:one`, `docker://${host}/buildah/a:one`)
    await buildah('pull', '--tls-verify=false', `${host}/buildah/a:one`)
    await buildah('push', '--tls-verify=false', `${host}/buildah/a:one`, `docker://${host}/buildah/b:two`)
    const about = JSON.parse(await skopeo('inspect', '--tls-verify=false', `docker://${host}/buildah/b:two`))
    expect(about.Layers).toHaveLength(1)
  })

  test('containerd: pull, and push under another name', async () => {
    const place = join(directory, 'containerd')
    const socket = join(place, 'containerd.sock')
    await mkdir(place)
    const config = join(place, 'config.toml')
    await writeFile(config, 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n')
    const paths = ['--root', join(place, 'root'), '--state', join(place, 'state'), '--address', socket]
    const daemon = spawn('containerd', ['--config', config, ...paths], { stdio: ['ignore', 'ignore', 'pipe'] })
    const ended = new Promise(resolve => daemon.once('exit', resolve))
    try {
      for await (const chunk of daemon.stderr) if (String(chunk).includes('successfully booted')) break
      const ctr = (...args: string[]): Promise<string> =>
        run('ctr', ['--address', socket, ...args], { timeout: 60_000 })
      await skopeo('copy', '--dest-tls-verify=false', `oci:${directory}/layout:one`, `docker://${host}/ctr/a:one`)
      const pull = ['images', 'pull', '--plain-http', '--snapshotter', 'native', '--platform', 'linux/amd64']
      await ctr(...pull, `${host}/ctr/a:one`)
      await ctr('images', 'tag', `${host}/ctr/a:one`, `${host}/ctr/b:two`)
      await ctr('images', 'push', '--plain-http', '--platform', 'linux/amd64', `${host}/ctr/b:two`)
      const about = JSON.parse(await skopeo('inspect', '--tls-verify=false', `docker://${host}/ctr/b:two`))
      expect(about.Layers).toHaveLength(1)
    } finally {
      daemon.kill()
      await ended
    }
  })
})
