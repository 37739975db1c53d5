// A PostgreSQL in the place of the official image, which cannot be fetched: Debian's, behind an entry point that takes the
// same variables.

import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cached } from './binaries.ts'
import { say } from './command.ts'
import { buildArchive } from './images.ts'
import { ensurePackages } from './machine.ts'
import { baseArchive } from './router-base.ts'

export const postgresImage = 'localhost/postgres:test'

const own = join(import.meta.dirname, 'postgres-image')
const files = ['Dockerfile', 'entrypoint'] as const

/** The path of an OCI archive, made now (a minute) if it never was. */
export async function postgresImageArchive(): Promise<string> {
  const base = await baseArchive('postgres-base', ['postgresql'])
  const texts = files.map(name => readFileSync(join(own, name), 'utf8'))
  const entry = await cached('postgres-image', [base, ...texts], async target => {
    await ensurePackages(['buildah'])
    say(`building ${postgresImage}`)
    const context = mkdtempSync(join(tmpdir(), 'deis-postgres-'))
    const storage = join(target, 'storage')
    try {
      for (const name of files) cpSync(join(own, name), join(context, name))
      await buildArchive(storage, context, postgresImage, join(target, 'image.tar'), { BASE: `oci-archive:${base}` })
    } finally {
      rmSync(context, { recursive: true, force: true })
      rmSync(storage, { recursive: true, force: true })
    }
  })
  return join(entry, 'image.tar')
}
