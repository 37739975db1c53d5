// What ssh-audit says about the builder's SSH server: nothing, but that its key exchange is not safe from quantum computers
// (ssh2 has none that is). The program comes from PyPI into the cache of the cluster suite.

import { join } from 'node:path'
import { expect, test } from 'vitest'
import { cached } from '#test/cluster/binaries.ts'
import { run } from '#test/cluster/command.ts'
import { BuilderStage } from '#test/support/builder-stage.ts'

const version = '3.9.0'

interface Finding {
  readonly algorithm: string
  readonly notes: { readonly fail?: readonly string[]; readonly warn?: readonly string[] }
}

async function audit(port: number): Promise<Record<'kex' | 'key' | 'enc' | 'mac', Finding[]> & { cves: unknown[] }> {
  const entry = await cached('ssh-audit', [version], async target => {
    await run('python3', ['-m', 'pip', 'install', '-q', '--no-deps', '--target', target, `ssh-audit==${version}`])
  })
  // It fails when it has found something: the report tells. How many connections it may make is for us to say.
  const program = `
import subprocess, sys
sys.stdout.write(subprocess.run([sys.executable, '-m', 'ssh_audit', '-j', '--skip-rate-test', '-p', '${port}', '127.0.0.1'], stdout=subprocess.PIPE, text=True).stdout)`
  const output: unknown = await run('python3', ['-c', program], { env: { PYTHONPATH: join(entry) } })
  return JSON.parse(String(output))
}

test('ssh-audit has no failure, and no warning but one', { timeout: 120_000 }, async () => {
  await using stage = await BuilderStage.start()
  const { kex, key, enc, mac, cves } = await audit(stage.builder.port)
  expect(cves).toEqual([])
  expect(key.map(({ algorithm }) => algorithm)).toEqual(['ssh-ed25519', 'rsa-sha2-512', 'rsa-sha2-256'])
  const found = [...kex, ...key, ...enc, ...mac].flatMap(({ notes }) => [...(notes.fail ?? []), ...(notes.warn ?? [])])
  expect(new Set(found)).toEqual(new Set(['does not provide protection against post-quantum attacks']))
})
