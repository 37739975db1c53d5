// `/stats` and `/nginx_status` of the admin port (contract section 14): what the counters say, for people and for tools
// that read nginx's pages. `/metrics` has more; dashboards should be drawn from there.

import { appCounter, counter, failureCodes } from '../model/counters.ts'
import type { AppRow } from './app-metrics.ts'

/** What the pages are made of; rows are laid out by `appCounter`. */
export interface Traffic {
  /** All that was answered since the start, also for apps that are gone. */
  readonly total: Float64Array
  /** What the router answered for no app of its own name: `router-default-vhost` and the like. */
  readonly own: readonly AppRow[]
  readonly apps: readonly AppRow[]
  /** A counter over all data threads, by its position in `counter`. */
  readonly sum: (position: number) => number
  /** Milliseconds since the epoch. */
  readonly now: number
}

const statusClasses = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const

/** Counts since the start of the process, octets, and seconds. Fields may be added, never changed. */
export function statsPage({ total, own, apps, sum, now }: Traffic): unknown {
  return {
    time: new Date(now).toISOString(),
    connections: {
      http: { accepted: sum(counter.httpAccepted), open: sum(counter.httpOpen) },
      https: { accepted: sum(counter.httpsAccepted), open: sum(counter.httpsOpen) },
      builder: { accepted: sum(counter.builderAccepted), open: sum(counter.builderOpen) },
      tunnelsOpen: sum(counter.tunnelsOpen),
      refused: sum(counter.connectionsRefused),
    },
    requestsOpen: sum(counter.requestsOpen),
    failures: Object.fromEntries(failureCodes.map((code, index) => [code, sum(counter.failures + index)])),
    total: rowPart(total),
    router: Object.fromEntries(own.map(({ app, row }) => [app, rowPart(row)])),
    apps: Object.fromEntries(apps.map(({ app, row }) => [app, rowPart(row)])),
  }
}

function rowPart(row: Float64Array): unknown {
  const count = requestsOf(row)
  const seconds = row[appCounter.durationSum]!
  return {
    requests: {
      total: count,
      ...Object.fromEntries(statusClasses.map((name, index) => [name, row[appCounter.status + index]!])),
    },
    bytes: { in: row[appCounter.requestBytes]!, out: row[appCounter.responseBytes]! },
    seconds: { sum: seconds, mean: count === 0 ? 0 : seconds / count },
  }
}

function requestsOf(row: Float64Array): number {
  let requests = 0
  for (let index = 0; index < statusClasses.length; index++) requests += row[appCounter.status + index]!
  return requests
}

/**
 * The four lines of nginx's stub_status. A request is under way from its first octet, so that `Reading` is always 0 and
 * what nginx would count there is in `Writing`.
 */
export function stubStatus({ total, sum }: Traffic): string {
  const open = sum(counter.httpOpen) + sum(counter.httpsOpen)
  const handled = sum(counter.httpAccepted) + sum(counter.httpsAccepted)
  const writing = Math.min(open, sum(counter.requestsOpen))
  return [
    `Active connections: ${open} `,
    'server accepts handled requests',
    ` ${handled + sum(counter.connectionsRefused)} ${handled} ${requestsOf(total)} `,
    `Reading: 0 Writing: ${writing} Waiting: ${open - writing} `,
    '',
  ].join('\n')
}
