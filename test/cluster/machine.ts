// What the harness takes from the machine itself: Debian packages, installed when missing and when we may.

import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { run, say, toolPath } from './command.ts'
import { withLock } from './lock.ts'

// A file by which to tell that a package is there, so that tools which came some other way are accepted too.
const packages = {
  'etcd-server': 'etcd',
  containerd: 'containerd',
  runc: 'runc',
  'containernetworking-plugins': '/usr/lib/cni/bridge',
  iptables: 'iptables-save',
  conntrack: 'conntrack',
  iproute2: 'ip',
  ipset: 'ipset',
  buildah: 'buildah',
  debootstrap: 'debootstrap',
  'docker-registry': 'docker-registry',
  python3: 'python3',
  skopeo: 'skopeo',
} as const

export type PackageName = keyof typeof packages

export const isRoot = process.getuid?.() === 0

function present(name: PackageName): boolean {
  const file = packages[name]
  return toolPath.split(':').some(directory => {
    try {
      accessSync(file.startsWith('/') ? file : join(directory, file), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** Installs those of `names` that are missing. Rejects with the command to run when we are not root. */
export async function ensurePackages(names: readonly PackageName[]): Promise<void> {
  if (names.every(present)) return
  const install = (missing: readonly string[]) => ['install', '-y', '-qq', '--no-install-recommends', ...missing]
  if (!isRoot) {
    const missing = names.filter(name => !present(name))
    throw new Error(`missing programs; as root run: apt-get install -y ${missing.join(' ')}`)
  }
  await withLock('/run/lock/deis-cluster-packages', async () => {
    const missing = names.filter(name => !present(name))
    if (missing.length === 0) return
    say(`installing ${missing.join(' ')}`)
    const env = { DEBIAN_FRONTEND: 'noninteractive' }
    await run('apt-get', ['update', '-qq'], { env })
    await run('apt-get', ['-o', 'DPkg::Lock::Timeout=300', ...install(missing)], { env })
    const absent = missing.filter(name => !present(name))
    if (absent.length > 0) throw new Error(`still missing after their installation: ${absent.join(' ')}`)
  })
}
