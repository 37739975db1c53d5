// The result of the start bench as text.

import { spread } from '../support/statistics.ts'
import type { Start } from './measure.ts'

/** One starter with so many workers. */
export interface StartRow {
  readonly name: string
  readonly workers: number
  readonly starts: readonly Start[]
  /** Absent, or what failed; null when measured. */
  readonly trouble: string | null
}

export const title = [''.padEnd(18), ...['workers', 'serving ms', 'min-max', 'CPU ms', 'RSS MB', 'peak MB']]
  .map((cell, index) => (index === 0 ? cell : cell.padStart(index === 3 ? 13 : 11)))
  .join('')

/** Medians, and both ends of the time. */
export function renderRow({ name, workers, starts, trouble }: StartRow): string {
  const head = name.padEnd(18) + String(workers).padStart(11)
  if (trouble !== null) return `${head}  ${trouble}`
  const of = (field: keyof Start, unit = 1) => {
    const found = spread(starts.map(start => start[field] / unit))
    return found === null ? '-' : found.median.toFixed(0)
  }
  const times = spread(starts.map(start => start.servingMs))
  const range = times === null ? '-' : `${times.min.toFixed(0)}-${times.max.toFixed(0)}`
  const cells = [of('servingMs').padStart(11), range.padStart(13), of('cpuMs').padStart(11)]
  return (
    head + cells.join('') + [of('residentBytes', 1e6), of('peakBytes', 1e6)].map(cell => cell.padStart(11)).join('')
  )
}
