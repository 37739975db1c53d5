// charts/router/README.md lists every value, and no other.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { chartDirectory } from './chart.ts'

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>
  readonly description?: string
  readonly $ref?: string
}

const file = (name: string): string => readFileSync(join(chartDirectory, name), 'utf8')
const schema = JSON.parse(file('values.schema.json')) as Schema

/** Dotted names of all values, and whether a person may set what is below them at will. */
function* leaves(schema: Schema, prefix = ''): Generator<string> {
  for (const [key, value] of Object.entries(schema.properties ?? {}))
    if (value.properties === undefined) yield prefix + key
    else yield* leaves(value, `${prefix}${key}.`)
}

/** Names in the first column of the tables; `.x` beside `a.b` is `a.x`. */
function documented(): readonly string[] {
  const rows = [...file('README.md').matchAll(/^\| (`[^|]*`) \|/gm)].map(match => match[1]!)
  return rows.flatMap(row => {
    let parent = ''
    return [...row.matchAll(/`([\w.]+)`/g)].map(([, name = '']) => {
      if (name.startsWith('.')) return parent + name
      parent = name.slice(0, Math.max(0, name.lastIndexOf('.')))
      return name
    })
  })
}

test('every value is in the tables', () => {
  const names = documented()
  const missing = [...leaves(schema)].filter(
    name => !names.includes(name) && !names.some(other => name.startsWith(`${other}.`)) && name !== 'enabled',
  )
  expect(missing).toEqual([])
})

test('everything in the tables is a value', () => {
  const known = new Set(leaves(schema))
  const unknown = documented().filter(name => !known.has(name) && ![...known].some(key => key.startsWith(`${name}.`)))
  expect(unknown).toEqual([])
})

test('every value has a description, and every default is one that the schema names', () => {
  const undescribed = Object.entries(schema.properties!).filter(([, { description }]) => !description)
  expect(undescribed).toEqual([])
  const defaults = parse(file('values.yaml')) as Record<string, unknown>
  for (const key of Object.keys(defaults)) expect(Object.keys(schema.properties!)).toContain(key)
})
