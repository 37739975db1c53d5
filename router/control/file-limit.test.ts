import { expect, test } from 'vitest'
import { capacityOf, fileLimit } from './file-limit.ts'

const row = (soft: string): string =>
  `Limit                     Soft Limit           Hard Limit           Units\nMax processes             1                    2                    processes\nMax open files            ${soft}               1048576              files\n`

const limits: [name: string, read: () => string, want: number][] = [
  ['the limit in force', () => row('1024'), 1024],
  ['no limit', () => row('unlimited'), Infinity],
  ['another format', () => 'nothing of the kind', Infinity],
  [
    'no such file',
    () => {
      throw new Error('ENOENT')
    },
    Infinity,
  ],
]
for (const [name, read, want] of limits) test(`the limit of files: ${name}`, () => expect(fileLimit(read)).toBe(want))

const shares: [files: number, threads: number, want: number][] = [
  [1_048_576, 2, 262_080],
  [1024, 1, 384],
  [1024, 4, 96],
  [256, 1, 64],
  [64, 8, 16],
  [Infinity, 4, Infinity],
]
for (const [files, threads, want] of shares)
  test(`§4 maxWorkerConnections: ${files} files for ${threads} threads`, () =>
    expect(capacityOf(files, threads)).toBe(want))
