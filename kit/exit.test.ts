import { expect, test } from 'vitest'
import { exitCode, explainExit, StartupError } from './exit.ts'

test('a StartupError is one line, with its code', () => {
  const error = new StartupError(exitCode.unavailable, 'port 80 is taken\n  by somebody')
  expect(explainExit('router', error)).toEqual({ line: 'router: port 80 is taken by somebody', code: 69 })
})

test('any other error is a bug, with its stack', () => {
  const { line, code } = explainExit('router', new TypeError('no'))
  expect(code).toBe(70)
  expect(line).toMatch(/^router: internal error: TypeError: no\n\s+at /)
})

test('something thrown that is no error', () => {
  expect(explainExit('router', 'no')).toEqual({ line: 'router: internal error: no', code: 70 })
})
