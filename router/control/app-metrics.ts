// The series of each app in the Prometheus text format, written straight from the counters: there are 26 for each of
// possibly thousands of apps. For 10,000 apps that is 0.14 s of CPU on control's thread; through prom-client, 0.6 s.

import { appCounter, durationBuckets } from '../model/counters.ts'

export interface AppRow {
  readonly app: string
  /** Laid out by `appCounter`, summed over the data threads. */
  readonly row: Float64Array
}

const statusClasses = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const
const bounds = [...durationBuckets.map(String), '+Inf']

/** Five metrics, each with its help and type; ends with a line feed. `prefix` begins every name. */
export function appMetrics(prefix: string, rows: readonly AppRow[]): string {
  const labelled = rows.map(({ app, row }) => ({ label: `app="${escapeLabel(app)}"`, row }))
  const lines: string[] = []
  const begin = (name: string, type: string, help: string): string => {
    lines.push(`# HELP ${prefix}${name} ${help}`, `# TYPE ${prefix}${name} ${type}`)
    return `${prefix}${name}`
  }

  const requests = begin('requests_total', 'counter', 'Requests answered, by app and status class.')
  for (const { label, row } of labelled)
    for (let index = 0; index < statusClasses.length; index++)
      lines.push(`${requests}{${label},class="${statusClasses[index]}"} ${row[appCounter.status + index]}`)

  const durations = begin(
    'request_duration_seconds',
    'histogram',
    'From the first byte of a request to the last of its answer.',
  )
  for (const { label, row } of labelled) {
    // The row's buckets hold what fell into each; Prometheus wants what fell into each or one before it.
    let count = 0
    for (let index = 0; index < bounds.length; index++) {
      count += row[appCounter.duration + index]!
      lines.push(`${durations}_bucket{${label},le="${bounds[index]}"} ${count}`)
    }
    lines.push(`${durations}_sum{${label}} ${row[appCounter.durationSum]}`, `${durations}_count{${label}} ${count}`)
  }

  const received = begin('request_bytes_total', 'counter', 'Bytes read from clients, heads and bodies.')
  for (const { label, row } of labelled) lines.push(`${received}{${label}} ${row[appCounter.requestBytes]}`)

  const sent = begin('response_bytes_total', 'counter', 'Bytes written to clients, heads and bodies.')
  for (const { label, row } of labelled) lines.push(`${sent}{${label}} ${row[appCounter.responseBytes]}`)

  const refused = begin(
    'compression_refused_total',
    'counter',
    'Answers that crossed uncompressed because encoders had no memory left for this app or client.',
  )
  for (const { label, row } of labelled) lines.push(`${refused}{${label}} ${row[appCounter.codingsRefused]}`)
  return `${lines.join('\n')}\n`
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
