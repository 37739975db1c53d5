// Lists in columns.

import { compareText } from '#kit/compare-text.ts'

/** A line for each entry, sorted by key; values begin `gap` columns after the longest key. */
export function keyValueLines(entries: Readonly<Record<string, unknown>>, gap: number): string[] {
  const keys = Object.keys(entries).sort(compareText)
  const width = Math.max(0, ...keys.map(key => key.length)) + gap
  return keys.map(key => `${key.padEnd(width)}${valueText(entries[key])}`)
}

/** As a value of the API is shown: texts as they are. */
export function valueText(value: unknown): string {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value)
}

/** A label and what it is, the values one below the other. */
export function labelLines(rows: readonly (readonly [label: string, value: string])[], width: number): string[] {
  return rows.map(([label, value]) => `${label.padEnd(width)}${value}`.trimEnd())
}

/** Rows in columns, `gap` spaces between them; the last column as it comes. */
export function columnLines(rows: readonly (readonly string[])[], gap: number): string[] {
  const widths: number[] = []
  for (const row of rows)
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length)
  return rows.map(row =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column]! + gap)))
      .join('')
      .trimEnd(),
  )
}

/** A table without a border around it: headers centred, a rule below them. */
export function tableLines(headers: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = headers.map((header, column) => Math.max(header.length, ...rows.map(row => row[column]!.length)))
  const join = (cells: readonly string[]): string => ` ${cells.map(cell => ` ${cell} `).join('|')}`.trimEnd()
  return [
    join(headers.map((header, column) => centred(header, widths[column]!))),
    `+${widths.map(width => '-'.repeat(width + 2)).join('+')}+`,
    ...rows.map(row => join(row.map((cell, column) => cell.padEnd(widths[column]!)))),
  ]
}

function centred(text: string, width: number): string {
  return text.padStart(text.length + Math.floor((width - text.length) / 2)).padEnd(width)
}

/** After a list's title: how many of how many, when it is not all. */
export function shareText(shown: number, total: number): string {
  return shown === total ? '' : ` (${shown} of ${total})`
}
