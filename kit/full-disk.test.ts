import { closeSync, openSync, writeSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Complaint, isDiskFull, isFull } from './full-disk.ts'

function thrown(work: () => void): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  return null
}

const cases: [name: string, error: unknown, full: boolean][] = [
  ['a cause that is no error', new Error('a', { cause: { code: 'ENOSPC' } }), false],
  ['a quota', Object.assign(new Error('x'), { code: 'EDQUOT' }), true],
  ['an error around it', new Error('a', { cause: Object.assign(new Error('x'), { code: 'ENOSPC' }) }), true],
  ['words of git', new Error('git init: fatal: write error: No space left on device'), true],
  ['a store', Object.assign(new Error('x'), { kind: 'full' }), true],
  ['something else', Object.assign(new Error('x'), { code: 'EACCES' }), false],
  ['no error', 'ENOSPC', false],
]
test.each(cases)('%s', (_name, error, full) => expect(isDiskFull(error)).toBe(full))

test.skipIf(process.platform !== 'linux')('what the system says of a device that is full', () => {
  const file = openSync('/dev/full', 'w')
  expect(isDiskFull(thrown(() => writeSync(file, 'x')))).toBe(true)
  closeSync(file)
})

test('a directory that is not there is not full', async () => {
  expect(await isFull('/nowhere')).toBe(false)
})

test('an error that is its own cause', () => {
  const error = new Error('round')
  error.cause = error
  expect(isDiskFull(error)).toBe(false)
})

test('one line a minute', () => {
  const complaint = new Complaint()
  expect([0, 59_999, 60_000, 60_001].map(now => complaint.isDue(now))).toEqual([true, false, true, false])
})
