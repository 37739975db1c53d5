import { expect, test } from 'vitest'
import { findProgram, parseCpuList, programVersion } from './machine.ts'

const lists: [text: string, want: number[]][] = [
  ['0', [0]],
  ['0-1\n', [0, 1]],
  ['0-3,8,10-11', [0, 1, 2, 3, 8, 10, 11]],
  ['', []],
  ['3-1', []],
  ['x,2', [2]],
]
for (const [text, want] of lists)
  test(`CPU list ${JSON.stringify(text)}`, () => expect(parseCpuList(text)).toEqual(want))

test('a program is found on the path or not at all', () => {
  expect(findProgram('node')).toMatch(/\/node$/)
  expect(findProgram('no-such-program-of-this-name')).toBeNull()
})

test('a version is read from either output', () => {
  expect(programVersion(process.execPath, ['--version'], /v([0-9.]+)/)).toBe(process.versions.node)
  expect(programVersion(process.execPath, ['-e', 'console.error("v7.1")'], /v([0-9.]+)/)).toBe('7.1')
  expect(programVersion('no-such-program-of-this-name', [], /(.+)x/)).toBeNull()
})
