// A registry that Pods reach: Debian's, on the address by which they reach this machine, and on 127.0.0.1 for the node,
// which fetches without TLS from there alone.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { mediaType } from '#kit/oci/manifest.ts'
import { run } from './command.ts'
import { ensurePackages } from './machine.ts'
import { hostAddress } from './node-site.ts'

const program = '/usr/bin/docker-registry'

export interface BuildRegistry extends AsyncDisposable {
  /** For Pods, and for us. */
  readonly host: string
  /** For the node. */
  readonly nodeHost: string
  /** Puts an image of an OCI archive into it. */
  push(archive: string, name: string): Promise<void>
  /** Digests of an image's layers. */
  layersOf(name: string): Promise<readonly string[]>
}

export async function startBuildRegistry(): Promise<BuildRegistry> {
  await ensurePackages(['docker-registry', 'skopeo'])
  const directory = await mkdtemp(join(tmpdir(), 'build-registry-'))
  const config = {
    version: '0.1',
    log: { level: 'info', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(directory, 'data') }, delete: { enabled: true } },
    http: { addr: `${hostAddress}:0` },
  }
  const file = join(directory, 'config.json')
  await writeFile(file, JSON.stringify(config))
  const child = spawn(program, ['serve', file], { stdio: ['ignore', 'ignore', 'pipe'], env: { HOME: directory } })
  const ended = once(child, 'exit')
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  createInterface(child.stderr).on('line', line => {
    const [, port] = /listening on [\d.]+:(\d+)/.exec(line) ?? []
    if (port !== undefined) resolve(Number(port))
  })
  void ended.then(() => reject(new Error('docker-registry ended')))
  const port = await promise
  const forward = createServer(socket => {
    const far = connect(port, hostAddress)
    socket.on('error', () => far.destroy()).pipe(far)
    far.on('error', () => socket.destroy()).pipe(socket)
  })
  forward.listen(0, '127.0.0.1')
  await once(forward, 'listening')
  const host = `${hostAddress}:${port}`
  return {
    host,
    nodeHost: `127.0.0.1:${(forward.address() as AddressInfo).port}`,
    async push(archive, name) {
      const target = `docker://${host}/${name}`
      await run('skopeo', ['copy', '--quiet', '--dest-tls-verify=false', `oci-archive:${archive}`, target])
    },
    async layersOf(name) {
      const [repository, tag] = name.split(':')
      const accept = [mediaType.manifest, mediaType.dockerManifest].join(', ')
      const response = await fetch(`http://${host}/v2/${repository}/manifests/${tag}`, { headers: { accept } })
      const { layers } = (await response.json()) as { readonly layers: readonly { readonly digest: string }[] }
      return layers.map(({ digest }) => digest)
    },
    async [Symbol.asyncDispose]() {
      forward.close()
      child.kill('SIGKILL')
      await ended
      await rm(directory, { recursive: true, force: true })
    },
  }
}
