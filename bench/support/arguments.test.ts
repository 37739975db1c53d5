import { expect, test } from 'vitest'
import { commandLine, namesOf, wholeNumber } from './arguments.ts'

test('whole numbers', () => {
  expect(wholeNumber('1')).toBe(1)
  expect(wholeNumber('120')).toBe(120)
  for (const text of ['0', '-1', '1.5', '', 'x', '1e3', '01']) expect(() => wholeNumber(text)).toThrow(/whole number/)
})

test('names keep the order in which they are known', () => {
  const parse = namesOf(['a', 'b', 'c'])
  expect(parse('c, a')).toEqual(['a', 'c'])
  expect(() => parse('a,d')).toThrow('Not known: d.')
  expect(() => parse('')).toThrow(/Not known/)
})

test('the command line is kept without the file of the result', () => {
  expect(commandLine('bench', [])).toBe('npm run bench')
  expect(commandLine('bench', ['--json', '/tmp/x.json', '--repeats', '2'])).toBe('npm run bench -- --repeats 2')
  expect(commandLine('bench', ['--json=/tmp/x.json', '--only', 'nginx'])).toBe('npm run bench -- --only nginx')
})
