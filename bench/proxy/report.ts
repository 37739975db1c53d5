// The result as a table for people.

import { spread } from '../support/statistics.ts'
import { type CaseResult, doubts, type Result, type Row, ratio, valuesOf } from './result.ts'

const columns = [
  { title: 'CPU µs', width: 8 },
  { title: 'min-max', width: 13 },
  { title: 'x nginx', width: 8 },
  { title: 'req/s', width: 9 },
  { title: 'x nginx', width: 8 },
  { title: 'p50 ms', width: 8 },
  { title: 'p99 ms', width: 8 },
  { title: 'RSS MB', width: 8 },
  { title: 'CPU %', width: 7 },
  { title: 'backend %', width: 10 },
] as const

const nameWidth = 14

/** Head of the report: what was measured on what. */
export function renderHead(result: Result): string {
  const { machine, settings, versions } = result
  const pinned =
    settings.proxyCpu === null
      ? 'nothing is pinned'
      : `the proxy alone on CPU ${settings.proxyCpu}, load and backend on CPU ${settings.loadCpu}`
  return [
    `${machine.cpuModel}, ${machine.cpus.length} CPUs, Linux ${machine.kernel}, commit ${machine.commit ?? 'none'}, ${result.date}`,
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', '),
    `${settings.connections} connections, ${settings.repeats} rounds of ${settings.seconds} s, ${pinned}; medians`,
    ...result.limits.map(limit => `Limit: ${limit}`),
  ].join('\n')
}

/** One case as a table; doubts about a row stand below it. */
export function renderCase({ work, rows }: CaseResult, reference: string): string {
  const title = `${work.name}: ${work.title} (CPU µs per ${work.unit})`
  const head = ''.padEnd(nameWidth) + columns.map(column => column.title.padStart(column.width)).join('')
  const base = rows.find(row => row.subject === reference)?.rounds ?? []
  const lines = rows.flatMap(row => renderRow(row, base, work))
  const suites = new Set(rows.map(row => row.tls).filter(tls => tls !== null))
  const tls = suites.size === 0 ? [] : [`  TLS: ${[...suites].join(' or ')}`]
  return [title, head, ...lines, ...tls].join('\n')
}

function renderRow(row: Row, base: Row['rounds'], work: CaseResult['work']): string[] {
  const name = row.subject.padEnd(nameWidth)
  if (row.trouble !== null) return [`${name}  ${row.trouble}`]
  const { rounds } = row
  const of = (field: Parameters<typeof valuesOf>[1]) => spread(valuesOf(rounds, field))
  const [cpu, rate, p50, p99] = [of('cpuPerUnit'), of('requestsPerSecond'), of('p50Ms'), of('p99Ms')]
  const [resident, busy, backend] = [of('residentBytes'), of('proxyBusy'), of('backendBusy')]
  const cells = [
    decimal(cpu?.median, 1),
    cpu === null ? '-' : `${decimal(cpu.min, 1)}-${decimal(cpu.max, 1)}`,
    decimal(ratio(rounds, base, 'cpuPerUnit'), 2),
    decimal(rate?.median, 0),
    decimal(ratio(rounds, base, 'requestsPerSecond'), 2),
    decimal(p50?.median, 2),
    decimal(p99?.median, 2),
    decimal(resident === null ? null : resident.median / 1_000_000, 0),
    decimal(busy === null ? null : busy.median * 100, 0),
    decimal(backend === null ? null : backend.median * 100, 0),
  ]
  const line = name + cells.map((cell, index) => cell.padStart(columns[index]!.width)).join('')
  return [line, ...doubts(work, rounds).map(doubt => `  ! ${row.subject}: ${doubt}`)]
}

function decimal(value: number | null | undefined, digits: number): string {
  return value === null || value === undefined ? '-' : value.toFixed(digits)
}
