// One image for all that builds take: Debian with Node, git and buildah, a builder of Cloud Native Buildpacks with three
// small ones (`builder-image/`), and the program of ours that fetches sources. It serves as run image too.

import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { cached } from './binaries.ts'
import { run, say, toolPath } from './command.ts'
import { buildArchive } from './images.ts'
import { ensurePackages } from './machine.ts'
import { gitBaseArchive } from './platform-images.ts'

export const builderImage = 'localhost/deis-build:test'

export const fetchCommand = ['node', '/app/fetch/main.ts'] as const

const own = join(import.meta.dirname, 'builder-image')
const fetchProgram = join(import.meta.dirname, '../../builder/build/kubernetes/fetch')
const keptDays = 7

/** The path of an OCI archive, made now if it never was. */
export async function builderImageArchive(): Promise<string> {
  const base = await gitBaseArchive()
  const context = mkdtempSync(join(tmpdir(), 'deis-builder-image-'))
  try {
    await ensurePackages(['buildah', 'python3'])
    await stage(context)
    const entry = await cached(
      'builder-image',
      [base, digestOf(context)],
      async target => {
        say(`building ${builderImage}`)
        const storage = join(target, 'storage')
        try {
          await buildArchive(storage, context, builderImage, join(target, 'image.tar'), { BASE: `oci-archive:${base}` })
        } finally {
          rmSync(storage, { recursive: true, force: true })
        }
      },
      keptDays,
    )
    return join(entry, 'image.tar')
  } finally {
    rmSync(context, { recursive: true, force: true })
  }
}

async function stage(context: string): Promise<void> {
  cpSync(join(own, 'Dockerfile'), join(context, 'Dockerfile'))
  mkdirSync(join(context, 'cnb'))
  cpSync(join(own, 'order.toml'), join(context, 'cnb/order.toml'))
  cpSync(join(own, 'lifecycle'), join(context, 'cnb/lifecycle'), { recursive: true })
  for (const name of readdirSync(join(own, 'buildpacks')))
    cpSync(join(own, 'buildpacks', name), join(context, 'cnb/buildpacks', `test_${name}`, '1.0.0'), { recursive: true })
  stagePython(join(context, 'cnb/buildpacks/test_python/1.0.0/python'))
  // Of this machine, which is of the same Debian: the package wants more of a system than there is while one is made.
  const program = toolPath
    .split(':')
    .map(path => join(path, 'buildah'))
    .find(existsSync)!
  const libraries = (await run('ldd', [program])).match(/\/\S+/g) ?? []
  mkdirSync(join(context, 'buildah/lib'), { recursive: true })
  cpSync(realpathSync(program), join(context, 'buildah/buildah'))
  for (const library of libraries.filter(path => !/\/(?:ld-linux|lib(?:c|m|dl|rt|pthread|resolv)\.so)/.test(path)))
    cpSync(realpathSync(library), join(context, 'buildah/lib', basename(library)))
  cpSync(fetchProgram, join(context, 'app/fetch'), { recursive: true })
}

/** Of this machine too: what the Python buildpack brings to apps, instead of a download. */
function stagePython(target: string): void {
  const version = readdirSync('/usr/lib').find(name => /^python3\.\d+$/.test(name))!
  const left = /\/(?:test|__pycache__|config-[^/]*|idlelib|ensurepip|lib2to3|pydoc_data|tkinter|dist-packages)$/
  mkdirSync(join(target, 'bin'), { recursive: true })
  cpSync(`/usr/bin/${version}`, join(target, 'bin/python3'))
  cpSync(`/usr/lib/${version}`, join(target, 'lib', version), { recursive: true, filter: path => !left.test(path) })
}

function digestOf(directory: string): string {
  const hash = createHash('sha256')
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  for (const file of entries.map(entry => join(entry.parentPath, entry.name)).sort())
    hash
      .update(`${file.slice(directory.length)}\0`)
      .update(readFileSync(file))
      .update('\0')
  return hash.digest('hex')
}
