// Archives of GNU tar and of our own writer, read back; and archives that are none.

import { spawnSync } from 'node:child_process'
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { writeTar } from '#builder/image/tar-writer.ts'
import { readTree } from '#builder/image/tree.ts'
import { readTar } from './tar-reader.ts'

const directory = mkdtempSync(join(tmpdir(), 'tar-'))
const long = `${'d'.repeat(90)}/${'f'.repeat(120)}`
const files: Readonly<Record<string, string>> = {
  'a.txt': 'one',
  'b/empty': '',
  'b/block': 'x'.repeat(512),
  'ümlaut/ファイル': 'text',
  [long]: 'long',
}
for (const [path, text] of Object.entries(files)) {
  mkdirSync(join(directory, path, '..'), { recursive: true })
  writeFileSync(join(directory, path), text)
}
writeFileSync(join(directory, 'program'), '#!/bin/sh\n', { mode: 0o755 })
writeFileSync(join(directory, 'large'), Buffer.alloc(700_001, 7))
linkSync(join(directory, 'a.txt'), join(directory, 'z-link'))
symlinkSync(`${'../'.repeat(40)}somewhere/${'ü'.repeat(30)}`, join(directory, 'symlink'))
symlinkSync(join(directory, 'b/block'), join(directory, 'absolute'))
afterAll(() => rmSync(directory, { recursive: true }))

async function contents(archive: Buffer, chunk = 1000): Promise<Record<string, string>> {
  const pieces = async function* (): AsyncIterable<Buffer> {
    for (let at = 0; at < archive.length; at += chunk) yield archive.subarray(at, at + chunk)
  }
  const found: Record<string, string> = {}
  for await (const { kind, path, target, isExecutable, body } of readTar(pieces())) {
    let text = ''
    for await (const piece of body) text += piece.length > 1000 ? piece.length : piece.toString()
    found[path.replace(/^\.\//, '').replace(/\/$/, '')] =
      kind === 'directory' ? kind : `${kind} ${isExecutable && kind === 'file' ? 'x ' : ''}${target}${text}`
  }
  return found
}

const ours = async (): Promise<Buffer> => {
  const options = { includes: () => true, partOf: () => '', maxEntries: 1000, maxSize: 1e9 }
  const entries = await readTree(directory, { ...options, signal: new AbortController().signal })
  return Buffer.concat(await Array.fromAsync(writeTar(entries, '')))
}

for (const format of ['gnu', 'pax', 'ours'])
  for (const chunk of [97, 100_000])
    test(`${format}, in pieces of ${chunk}`, async () => {
      const archive =
        format === 'ours'
          ? await ours()
          : spawnSync('tar', [`--format=${format}`, '--sort=name', '-C', directory, '-cf', '-', '.'], {
              maxBuffer: 1e8,
            }).stdout
      const found = await contents(archive, chunk)
      for (const [path, text] of Object.entries(files)) expect(found[path]).toBe(`file ${text}`)
      expect(found.program).toBe('file x #!/bin/sh\n')
      expect(found['z-link']).toMatch(/^hardlink (\.\/)?a\.txt$/)
      expect(found.symlink).toBe(`symlink ${'../'.repeat(40)}somewhere/${'ü'.repeat(30)}`)
      expect(found.b).toBe('directory')
      if (format === 'ours') expect(found.absolute).toBe('symlink b/block')
    })

test('GNU tar reads what we write', async () => {
  const to = mkdtempSync(join(tmpdir(), 'tar-to-'))
  const { status, stderr } = spawnSync('tar', ['-C', to, '-xf', '-'], { input: await ours() })
  expect([status, stderr.toString()]).toEqual([0, ''])
  const { stdout } = spawnSync('diff', ['-r', '--no-dereference', directory, to], { encoding: 'utf8' })
  expect(stdout.split('\n').filter(line => !line.includes('absolute'))).toEqual([''])
  rmSync(to, { recursive: true })
})

const broken: [name: string, change: (archive: Buffer) => Buffer, message: RegExp][] = [
  ['no archive', () => Buffer.alloc(1024, 'x'), /a number in it is none|no tar archive/],
  ['a wrong sum', archive => archive.fill('y', 0, 1), /no tar archive/],
  ['cut within a file', archive => archive.subarray(0, 700), /ends too early/],
  ['cut within a header', archive => archive.subarray(0, 100), /ends too early/],
]
for (const [name, change, message] of broken)
  test(name, async () => {
    await expect(contents(change(await ours()))).rejects.toThrow(message)
  })
