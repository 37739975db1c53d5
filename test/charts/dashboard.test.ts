// Every metric and label in the dashboards is one that the router has: docs/metrics.md lists them, and a test beside the
// metrics holds that list against what the router writes.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { chartDirectory } from './chart.ts'

interface Panel {
  readonly title: string
  readonly type: string
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[]
  readonly panels?: readonly Panel[]
}
interface Dashboard {
  readonly panels: readonly Panel[]
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly type: string; readonly query: unknown }[]
  }
}

/** What Prometheus itself adds to a pod's metrics. */
const ofTarget = ['namespace', 'pod']
/** Of every process that Prometheus' own client libraries run in. */
const ofProcess = ['process_cpu_seconds_total', 'process_resident_memory_bytes']

const metrics = new Map(ofProcess.map(name => [name, ofTarget]))
const table = readFileSync(join(import.meta.dirname, '../../docs/metrics.md'), 'utf8')
for (const [, name = '', type, labels = ''] of table.matchAll(/^\| `(deis_router_\w+)` \| (\w+) \| ([^|]*) \|/gm))
  for (const suffix of type === 'histogram' ? ['_bucket', '_sum', '_count'] : [''])
    metrics.set(name + suffix, [...ofTarget, ...[...labels.matchAll(/`(\w+)`/g)].map(match => match[1]!)])

/** Faults of one expression. */
function faults(expression: string): readonly string[] {
  const found: string[] = []
  let known: string[] = []
  for (const [, name = '', selector = ''] of expression.matchAll(/\b((?:deis_router|process)_\w+)(?:\{([^}]*)\})?/g)) {
    const labels = metrics.get(name)
    if (labels === undefined) found.push(`no metric ${name}`)
    known = [...known, ...(labels ?? [])]
    for (const [, label = ''] of selector.matchAll(/(\w+)\s*(?:=~|!~|!=|=)"/g))
      if (labels?.includes(label) === false) found.push(`${name} has no label ${label}`)
  }
  if (known.length === 0) found.push('no metric at all')
  for (const [, list = ''] of expression.matchAll(/\b(?:by|on) \(([^)]*)\)/g))
    for (const label of list.split(/,\s*/)) if (!known.includes(label)) found.push(`no label ${label} to group by`)
  return found
}

test('faults are found', () => {
  expect(faults('rate(deis_router_request_total[1m])')).toEqual([
    'no metric deis_router_request_total',
    'no metric at all',
  ])
  expect(faults('deis_router_routes{app="x"}')).toEqual(['deis_router_routes has no label app'])
  expect(faults('sum by (app, code) (deis_router_requests_total{class!="5xx",pod=~"$pod"})')).toEqual([
    'no label code to group by',
  ])
})

for (const file of readdirSync(join(chartDirectory, 'dashboards')))
  describe(file, () => {
    const dashboard = JSON.parse(readFileSync(join(chartDirectory, 'dashboards', file), 'utf8')) as Dashboard
    const panels = dashboard.panels.flatMap(panel => [panel, ...(panel.panels ?? [])])

    for (const { title, targets = [] } of panels.filter(({ type }) => type !== 'row'))
      test(title, () => {
        expect(targets.length).toBeGreaterThan(0)
        for (const { expr, legendFormat } of targets) {
          expect(faults(expr), expr).toEqual([])
          for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) expect(expr).toContain(label)
        }
      })

    test('variables', () => {
      const names = dashboard.templating.list.map(({ name }) => name)
      const used = [...JSON.stringify(panels).matchAll(/\$\{?([a-z]\w*)/g)].map(match => match[1]!)
      expect([...new Set(used)].sort()).toEqual(names.sort())
      for (const { type, query } of dashboard.templating.list)
        if (type === 'query') expect(faults(JSON.stringify(query).replaceAll('\\"', '"'))).toEqual([])
    })
  })
