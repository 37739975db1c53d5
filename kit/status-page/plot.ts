// A small line of numbers over time, as SVG within the page: no script draws it and nothing is fetched for it.

import { type Html, html } from './html.ts'

export interface PlotOptions {
  /** For those who do not see it. */
  readonly label: string
  readonly unit: string
  /** The oldest first; null: there is no value. */
  readonly values: readonly (number | null)[]
  readonly width: number
  readonly height: number
  /** How many values the whole width is for: a line that has just begun starts further right. */
  readonly span: number
}

export function plot({ label, unit, values, width, height, span }: PlotOptions): Html {
  const known = values.filter(value => value !== null)
  const most = Math.max(...known, 0)
  const now = values.at(-1) ?? null
  const text =
    known.length === 0
      ? `${label}: nothing yet`
      : `${label}: now ${now ?? 'none'}, at most ${shortNumber(most)} ${unit}`
  const lines = segments(values).map(segment => {
    const points = segment.map(({ at, value }) => {
      const x = ((span - values.length + at) / Math.max(1, span - 1)) * width
      const y = height - 1 - (most === 0 ? 0 : (value / most) * (height - 2))
      return `${x.toFixed(1)},${y.toFixed(1)}`
    })
    // A value without neighbours would be a line without length.
    const [x, y] = points[0]!.split(',')
    return points.length === 1
      ? html`<circle cx="${x!}" cy="${y!}" r="1"/>`
      : html`<polyline points="${points.join(' ')}"/>`
  })
  return html`<svg class="plot" role="img" aria-label="${text}" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"><title>${text}</title>${lines}</svg>`
}

interface Point {
  readonly at: number
  readonly value: number
}

/** Runs of values without a gap. */
function segments(values: readonly (number | null)[]): readonly (readonly Point[])[] {
  const runs: Point[][] = []
  let run: Point[] = []
  for (const [at, value] of values.entries()) {
    if (value !== null) run.push({ at, value })
    else if (run.length > 0) {
      runs.push(run)
      run = []
    }
  }
  return run.length > 0 ? [...runs, run] : runs
}

/** Three digits that count. */
export function shortNumber(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString('en-GB') : String(Number(value.toPrecision(3)))
}
