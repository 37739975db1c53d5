// The suite is whole: each statement has a row, or names the test elsewhere that shows it, and what we do differently
// is in the table for users.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { statements } from './index.ts'

const root = join(import.meta.dirname, '../..')
const idPattern = /§\d+\.\d+|I-[A-Z]\d+/g

/** Ids that rows begin with, in all test files of this directory. */
function usedIds(): ReadonlySet<string> {
  const used = new Set<string>()
  for (const name of readdirSync(import.meta.dirname)) {
    if (!name.endsWith('.test.ts') || name === 'index.test.ts') continue
    const source = readFileSync(join(import.meta.dirname, name), 'utf8')
    for (const [, id = ''] of source.matchAll(/['`](§\d+\.\d+|I-[A-Z]\d+)[ '`]/g)) used.add(id)
  }
  return used
}

const used = usedIds()

test('ids have their form, and an id that a row names is one of the index', () => {
  for (const id of Object.keys(statements)) expect(id.match(idPattern)).toEqual([id])
  expect([...used].filter(id => !Object.hasOwn(statements, id))).toEqual([])
})

test('each statement has a row, or names the file that shows it', () => {
  const orphans = Object.entries(statements).filter(([id, { shownBy }]) => !used.has(id) && shownBy === undefined)
  expect(orphans.map(([id]) => id)).toEqual([])
  const twice = Object.entries(statements).filter(([id, { shownBy }]) => used.has(id) && shownBy !== undefined)
  expect(twice.map(([id]) => id)).toEqual([])
})

for (const [id, { shownBy }] of Object.entries(statements)) {
  if (shownBy === undefined) continue
  test(`${id} is shown by ${shownBy}`, () => {
    const file = join(root, shownBy)
    expect(existsSync(file)).toBe(true)
    const named: readonly string[] = readFileSync(file, 'utf8').match(idPattern) ?? []
    expect(named).toContain(id)
  })
}

test('the compatibility table names each statement that we differ from', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const start = readme.indexOf('## Differences from the original router')
  const table = readme.slice(start, readme.indexOf('\n## ', start + 1))
  const named = new Set<string>(table.match(idPattern) ?? [])
  const differing = Object.entries(statements).filter(([, { differs }]) => differs !== undefined)
  expect(differing.map(([id]) => id).filter(id => !named.has(id))).toEqual([])
  expect([...named].filter(id => statements[id]?.differs === undefined)).toEqual([])
})
