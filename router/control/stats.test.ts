import { expect, test } from 'vitest'
import { appCounter, counter, createCounters, failureCodes, fixedSlot, rowOffset } from '../model/counters.ts'
import { Published } from './published.ts'
import { statsPage, stubStatus } from './stats.ts'
import { certificateOf, patchOf, routeOf } from './testdata/patches.ts'
import { quietMetrics } from './testdata/quiet-metrics.ts'

function bench() {
  const threads = [new Float64Array(createCounters()), new Float64Array(createCounters())]
  const published = new Published(certificateOf('self-signed'))
  const metrics = quietMetrics({ published, counters: () => threads, now: () => Date.UTC(2026, 0) })
  const publish = (...patch: Parameters<typeof patchOf>): void =>
    metrics.assign(published.publish(patchOf(...patch)).apps)
  /** `requests` answers of a status class, of `octets` each way and a second each. */
  const answered = (thread: number, slot: number, statusClass: number, requests: number, octets: number): void => {
    const row = threads[thread]!.subarray(rowOffset(slot))
    row[appCounter.status + statusClass - 1]! += requests
    row[appCounter.requestBytes]! += octets
    row[appCounter.responseBytes]! += 2 * octets
    row[appCounter.durationSum]! += requests
  }
  return { threads, metrics, publish, answered }
}

const none = {
  requests: { total: 0, '1xx': 0, '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0 },
  bytes: { in: 0, out: 0 },
  seconds: { sum: 0, mean: 0 },
}

test('/stats: each app, what the router answered itself, and the total', () => {
  const { threads, metrics, publish, answered } = bench()
  const apps = [
    { app: 'web', slot: 3 },
    { app: '__proto__', slot: 4 },
  ]
  publish({ reset: true, routes: [routeOf('a.example', 'web'), routeOf('b.example', '__proto__')], apps })
  answered(0, 3, 2, 3, 100)
  answered(1, 3, 5, 1, 10)
  answered(1, fixedSlot.defaultVhost, 4, 2, 5)
  threads[0]![counter.httpAccepted] = 4
  threads[1]![counter.httpAccepted] = 5
  threads[1]![counter.httpOpen] = 2
  threads[0]![counter.requestsOpen] = 1
  threads[1]![counter.failures + failureCodes.indexOf('no-endpoint')] = 7
  const page = statsPage(metrics.traffic())
  expect(page).toMatchObject({
    time: '2026-01-01T00:00:00.000Z',
    connections: {
      http: { accepted: 9, open: 2 },
      https: { accepted: 0, open: 0 },
      builder: { accepted: 0, open: 0 },
      tunnelsOpen: 0,
      refused: 0,
    },
    requestsOpen: 1,
    failures: { 'no-endpoint': 7, 'bad-request': 0 },
    total: {
      requests: { total: 6, '1xx': 0, '2xx': 3, '3xx': 0, '4xx': 2, '5xx': 1 },
      bytes: { in: 115, out: 230 },
      seconds: { sum: 6, mean: 1 },
    },
    router: {
      'router-default-vhost': { requests: { total: 2, '4xx': 2 } },
      'router-rejected': none,
      'router-other-apps': none,
    },
  })
  const { apps: shown } = JSON.parse(JSON.stringify(page))
  expect(Object.entries(shown)).toEqual([
    [
      'web',
      {
        requests: { total: 4, '1xx': 0, '2xx': 3, '3xx': 0, '4xx': 0, '5xx': 1 },
        bytes: { in: 110, out: 220 },
        seconds: { sum: 4, mean: 1 },
      },
    ],
    ['__proto__', none],
  ])
})

test("what an app was answered stays in the total when the app goes, and is not the next one's", () => {
  const { metrics, publish, answered } = bench()
  publish({ reset: true, routes: [routeOf('a.example', 'a')], apps: [{ app: 'a', slot: 3 }] })
  answered(0, 3, 2, 3, 100)
  publish({ reset: true, routes: [routeOf('b.example', 'b')], apps: [{ app: 'b', slot: 3 }] })
  expect(statsPage(metrics.traffic())).toMatchObject({ total: { requests: { total: 3 } }, apps: { b: none } })
})

test('/nginx_status has the words and the four lines of stub_status', () => {
  const { threads, metrics, answered } = bench()
  answered(0, fixedSlot.rejected, 4, 30, 1)
  answered(1, fixedSlot.defaultVhost, 4, 1, 1)
  threads[0]![counter.httpAccepted] = 10
  threads[1]![counter.httpsAccepted] = 11
  threads[1]![counter.connectionsRefused] = 2
  threads[0]![counter.httpOpen] = 5
  threads[1]![counter.httpsOpen] = 4
  threads[1]![counter.requestsOpen] = 3
  expect(stubStatus(metrics.traffic())).toBe(
    'Active connections: 9 \nserver accepts handled requests\n 23 21 31 \nReading: 0 Writing: 3 Waiting: 6 \n',
  )
})
