// The base of the router's image where no image can be fetched: Debian's smallest system with the Node that runs this,
// in the place of the official Node image. Kept in the cache as an OCI archive.

import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cached } from './binaries.ts'
import { run, say } from './command.ts'
import { buildArchive } from './images.ts'
import { ensurePackages } from './machine.ts'

// Of the recipe in this file.
const revision = '1'

/** What Node is linked with and Debian's smallest system does not have. */
const libraries = ['libatomic1', 'libstdc++6']

/** Files that a container has no use for: documentation, translations, and what apt fetched to get here. */
const spared = [
  './dev/*',
  './usr/share/doc/*',
  './usr/share/info/*',
  './usr/share/locale/*',
  './usr/share/man/*',
  './var/cache/apt/*',
  './var/cache/debconf/*-old',
  './var/lib/apt/lists/*',
  './var/log/*',
]

const dockerfile = `FROM scratch
ADD root.tar /
COPY node /usr/local/bin/node
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
`

/** The path of the archive, made now (a minute) if it never was for this release of Debian and this Node. */
export function routerBaseArchive(): Promise<string> {
  return baseArchive('router-base', [])
}

/** Such a base with more of Debian's packages. */
export async function baseArchive(name: string, packages: readonly string[]): Promise<string> {
  const release = readFileSync('/etc/debian_version', 'utf8').trim()
  const entry = await cached(name, [revision, release, process.version, process.arch, ...packages], async target => {
    await ensurePackages(['buildah', 'debootstrap'])
    say('making the base of images with debootstrap')
    const scratch = join(target, 'scratch')
    try {
      const { site, suite } = await mirror()
      const root = join(scratch, 'root')
      await run('debootstrap', [
        '--variant=minbase',
        `--include=${[...libraries, ...packages].join(',')}`,
        suite,
        root,
        site,
      ])
      const context = join(scratch, 'context')
      await run('mkdir', [context])
      const excluded = spared.map(path => `--exclude=${path}`)
      await run('tar', ['-C', root, ...excluded, '-cf', join(context, 'root.tar'), '.'])
      copyFileSync(process.execPath, join(context, 'node'))
      writeFileSync(join(context, 'Dockerfile'), dockerfile)
      await buildArchive(join(scratch, 'storage'), context, 'localhost/deis-base:1', join(target, 'image.tar'))
    } finally {
      rmSync(scratch, { recursive: true, force: true })
    }
  })
  return join(entry, 'image.tar')
}

/** The Debian archive that this machine itself installs from, and the name of its release there. */
async function mirror(): Promise<{ readonly site: string; readonly suite: string }> {
  const suite = /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1]
  const targets = await run('apt-get', ['indextargets', '--format', '$(CODENAME) $(COMPONENT) $(SITE)'])
  for (const line of targets.split('\n')) {
    const [codename, component, site] = line.split(' ')
    if (suite !== undefined && codename === suite && component === 'main' && site) return { site, suite }
  }
  throw new Error(`no source of apt is the archive of this Debian (${suite ?? 'of no known name'})`)
}
