import { expect, test } from 'vitest'
import { compareLogNames, parseLogName } from './log-names.ts'

test('in the order in which they were written', () => {
  const names = ['10.log', '2.log', '0.log', '0.log.20261129-051200', '2.log.20270101-000000', '0.log.20261129-043445']
  const sorted = names.map(name => ({ name, ...parseLogName(name)! })).sort(compareLogNames)
  expect(sorted.map(({ name }) => name)).toEqual([
    '0.log.20261129-043445',
    '0.log.20261129-051200',
    '0.log',
    '2.log.20270101-000000',
    '2.log',
    '10.log',
  ])
})

const others = ['0.log.20261129-043445.gz', '0.log.20261129-043445.tmp', 'x.log', '0.txt', '0.log.', '.log', '0.logs']
for (const name of others) test(name, () => expect(parseLogName(name)).toBe(null))
