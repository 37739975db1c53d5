// The README of each chart lists every value, and no other.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { chartDirectory } from './chart.ts'
import { workflowChart } from './workflow-chart.ts'

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>
  readonly description?: string
  readonly $ref?: string
}

/** Dotted names of all values, and whether a person may set what is below them at will. */
function* leaves(schema: Schema, prefix = ''): Generator<string> {
  for (const [key, value] of Object.entries(schema.properties ?? {}))
    if (value.properties === undefined) yield prefix + key
    else yield* leaves(value, `${prefix}${key}.`)
}

/** Names in the first column of the tables of values; `.x` beside `a.b` is `a.x`. */
function documented(readme: string): readonly string[] {
  // Other tables come before and after, under headings of their own.
  const values = readme.slice(readme.indexOf('\n## Values\n'))
  const rows = [...values.matchAll(/^\| (`[^|]*`) \|/gm)].map(match => match[1]!)
  return rows.flatMap(row => {
    let parent = ''
    return [...row.matchAll(/`([\w.]+)`/g)].map(([, name = '']) => {
      if (name.startsWith('.')) return parent + name
      parent = name.slice(0, Math.max(0, name.lastIndexOf('.')))
      return name
    })
  })
}

describe.each([chartDirectory, workflowChart])('%s', chart => {
  const file = (name: string): string => readFileSync(join(chart, name), 'utf8')
  const schema = JSON.parse(file('values.schema.json')) as Schema
  const names = documented(file('README.md'))

  test('every value is in the tables', () => {
    const missing = [...leaves(schema)].filter(
      name => !names.includes(name) && !names.some(other => name.startsWith(`${other}.`)) && name !== 'enabled',
    )
    expect(missing).toEqual([])
  })

  test('everything in the tables is a value', () => {
    const known = new Set(leaves(schema))
    const unknown = names.filter(name => !known.has(name) && ![...known].some(key => key.startsWith(`${name}.`)))
    expect(unknown).toEqual([])
  })

  test('every value has a description, and every default is one that the schema names', () => {
    const undescribed = Object.entries(schema.properties!).filter(([, { description }]) => !description)
    expect(undescribed).toEqual([])
    const defaults = parse(file('values.yaml')) as Record<string, unknown>
    for (const key of Object.keys(defaults)) expect(Object.keys(schema.properties!)).toContain(key)
  })
})
