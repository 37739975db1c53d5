import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeDirectory } from './make-directory.ts'

let root: string
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'make-directory-'))
})
afterAll(() => rmSync(root, { recursive: true }))

test('with those above it, once and again', () => {
  const path = join(root, 'a/b/c')
  makeDirectory(path, 0o700)
  makeDirectory(`${path}/`, 0o700)
  for (const each of ['a', 'a/b', 'a/b/c']) expect(statSync(join(root, each)).mode & 0o777).toBe(0o700)
})

test('by a link', () => {
  makeDirectory(join(root, 'real'))
  symlinkSync('real', join(root, 'link'))
  makeDirectory(join(root, 'link'))
  makeDirectory(join(root, 'link/below'))
  expect(statSync(join(root, 'real/below')).isDirectory()).toBe(true)
})

test('not where a file is, or a link to nowhere', () => {
  writeFileSync(join(root, 'file'), '')
  symlinkSync('nowhere/at/all', join(root, 'lost'))
  expect(() => makeDirectory(join(root, 'file'))).toThrow('EEXIST')
  expect(() => makeDirectory(join(root, 'file/below'))).toThrow('ENOTDIR')
  expect(() => makeDirectory(join(root, 'lost'))).toThrow('EEXIST')
})

// `npm start -- --data /proc/x` took a core and said nothing.
test.skipIf(process.platform !== 'linux')('a place that takes none says so', () => {
  for (const path of ['/proc/x', '/proc/x/y', '/proc/self/fd/x']) expect(() => makeDirectory(path)).toThrow('ENOENT')
})
