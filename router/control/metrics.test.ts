import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import type { WatchState } from '#kube/watch.ts'
import { appCounter, counter, createCounters, durationBuckets, fixedSlot, rowOffset } from '../model/counters.ts'
import type { Problem } from '../model/problem.ts'
import { Metrics } from './metrics.ts'
import { Published } from './published.ts'
import { certificateOf, patchOf, routeOf } from './testdata/patches.ts'
import { quietMetrics } from './testdata/quiet-metrics.ts'

function watch(resource: string, parts: Partial<WatchState> = {}): WatchState {
  return { resource, connected: true, synced: true, events: 0, relists: 0, reconnects: 0, lastError: null, ...parts }
}

function bench() {
  const threads = [new Float64Array(createCounters()), new Float64Array(createCounters())]
  const published = new Published(certificateOf('self-signed', Date.UTC(2036, 0)))
  const problems: Problem[] = []
  let watches: readonly WatchState[] = []
  const snapshot: { served: number | null; saved: number | null } = { served: null, saved: null }
  const metrics = new Metrics({
    published,
    counters: () => threads,
    restarts: () => 2,
    accessLogDropped: () => 5,
    logDropped: () => 6,
    problems: () => problems,
    leadership: () => ({ leader: true, statusWrites: 31, statusFailures: 32, eventsWritten: 33, eventsDropped: 34 }),
    watches: () => watches,
    servedSnapshot: () => snapshot.served,
    snapshotSaved: () => snapshot.saved,
    now: () => 1_000_000,
  })
  return {
    metrics,
    threads,
    problems,
    snapshot,
    watch: (...states: WatchState[]) => {
      watches = states
    },
    publish: (...patch: Parameters<typeof patchOf>) => {
      const next = published.publish(patchOf(...patch))
      metrics.assign(next.apps)
    },
    /** The lines of ours for which `matches` holds. */
    lines: async (matches: RegExp) => (await metrics.text()).split('\n').filter(line => matches.test(line)),
  }
}

test('the numbers of an app, in the text format', async () => {
  const { threads, publish, lines } = bench()
  publish({ reset: true, routes: [routeOf('a.example', 'shop/web')], apps: [{ app: 'shop/web', slot: 3 }] })
  const at = rowOffset(3)
  threads[0]![at + appCounter.status + 1] = 3
  threads[1]![at + appCounter.status + 1] = 4
  threads[1]![at + appCounter.status + 4] = 1
  threads[0]![at + appCounter.requestBytes] = 100
  threads[1]![at + appCounter.responseBytes] = 2000
  threads[0]![at + appCounter.codingsRefused] = 5
  threads[0]![at + appCounter.durationSum] = 0.5
  threads[0]![at + appCounter.duration] = 2
  threads[1]![at + appCounter.duration + 2] = 5
  threads[1]![at + appCounter.duration + durationBuckets.length] = 1
  expect(await lines(/^deis_router_\w+\{.*app="shop\/web"/)).toMatchInlineSnapshot(`
    [
      "deis_router_requests_total{app="shop/web",class="1xx"} 0",
      "deis_router_requests_total{app="shop/web",class="2xx"} 7",
      "deis_router_requests_total{app="shop/web",class="3xx"} 0",
      "deis_router_requests_total{app="shop/web",class="4xx"} 0",
      "deis_router_requests_total{app="shop/web",class="5xx"} 1",
      "deis_router_request_duration_seconds_bucket{app="shop/web",le="0.001"} 2",
      "deis_router_request_duration_seconds_bucket{app="shop/web",le="0.0025"} 2",
      "deis_router_request_duration_seconds_bucket{app="shop/web",le="0.005"} 7",
      "deis_router_request_duration_seconds_bucket{app="shop/web",le="0.01"} 7",
      "deis_router_request_duration_seconds_bucket{app="shop/web",le="0.025"} 7",
      "deis_router_request_duration_seconds_bucket{app="shop/web",le="0.05"} 7",
      "deis_router_request_duration_seconds_bucket{app="shop/web",le="0.1"} 7",
      "deis_router_request_duration_seconds_bucket{app="shop/web",le="0.25"} 7",
      "deis_router_request_duration_seconds_bucket{app="shop/web",le="0.5"} 7",
      "deis_router_request_duration_seconds_bucket{app="shop/web",le="1"} 7",
      "deis_router_request_duration_seconds_bucket{app="shop/web",le="2.5"} 7",
      "deis_router_request_duration_seconds_bucket{app="shop/web",le="5"} 7",
      "deis_router_request_duration_seconds_bucket{app="shop/web",le="10"} 7",
      "deis_router_request_duration_seconds_bucket{app="shop/web",le="30"} 7",
      "deis_router_request_duration_seconds_bucket{app="shop/web",le="60"} 7",
      "deis_router_request_duration_seconds_bucket{app="shop/web",le="+Inf"} 8",
      "deis_router_request_duration_seconds_sum{app="shop/web"} 0.5",
      "deis_router_request_duration_seconds_count{app="shop/web"} 8",
      "deis_router_request_bytes_total{app="shop/web"} 100",
      "deis_router_response_bytes_total{app="shop/web"} 2000",
      "deis_router_compression_refused_total{app="shop/web"} 5",
    ]
  `)
})

test('the numbers of the threads, in the text format', async () => {
  const { threads, publish, lines } = bench()
  publish({ reset: true })
  for (const [thread, counters] of threads.entries())
    for (const position of Object.values(counter)) counters[position] = 100 * thread + position
  threads[1]![counter.configVersion] = 7
  threads[0]![counter.configVersion] = 8
  threads[1]![counter.configAppliedAt] = 990_000
  const numbers = await lines(/^deis_router_(?!problems|watch|request_|response_|requests_total)[a-z_]+(\{.*\})? /)
  expect(numbers).toMatchInlineSnapshot(`
    [
      "deis_router_compression_refused_total{app="router-default-vhost"} 0",
      "deis_router_compression_refused_total{app="router-rejected"} 0",
      "deis_router_compression_refused_total{app="router-other-apps"} 0",
      "deis_router_connections_accepted_total{listener="http"} 100",
      "deis_router_connections_accepted_total{listener="https"} 102",
      "deis_router_connections_open{listener="http"} 104",
      "deis_router_connections_open{listener="https"} 106",
      "deis_router_connections_refused_total 156",
      "deis_router_connections_evicted_total 162",
      "deis_router_accept_errors_total 158",
      "deis_router_proxy_protocol_errors_total 154",
      "deis_router_builder_connections_accepted_total 150",
      "deis_router_builder_connections_open 152",
      "deis_router_requests_open 276",
      "deis_router_tunnels_open 108",
      "deis_router_tls_handshakes_total{result="ok"} 110",
      "deis_router_tls_handshakes_total{result="error"} 112",
      "deis_router_malformed_requests_total 114",
      "deis_router_upstream_connects_total{result="ok"} 116",
      "deis_router_upstream_connects_total{result="refused"} 118",
      "deis_router_upstream_connects_total{result="timeout"} 120",
      "deis_router_upstream_connects_total{result="error"} 122",
      "deis_router_upstream_requests_reused_total 124",
      "deis_router_upstream_connections_open 126",
      "deis_router_upstream_connections_idle 128",
      "deis_router_upstream_retries_total{reason="connect"} 308",
      "deis_router_upstream_retries_total{reason="closed"} 0",
      "deis_router_upstream_retries_total{reason="stale"} 0",
      "deis_router_upstream_retries_total{reason="unprocessed"} 0",
      "deis_router_upstream_retries_denied_total 130",
      "deis_router_upstream_waits_total 284",
      "deis_router_upstream_waiting 286",
      "deis_router_upstream_rests_total{reason="unreachable"} 288",
      "deis_router_upstream_rests_total{reason="failing"} 290",
      "deis_router_upstream_endpoints_resting 292",
      "deis_router_upstream_health_checks_total{result="ok"} 296",
      "deis_router_upstream_health_checks_total{result="error"} 298",
      "deis_router_upstream_endpoints_unhealthy 294",
      "deis_router_upstream_timeouts_total 132",
      "deis_router_upstream_invalid_responses_total 134",
      "deis_router_failures_total{code="bad-request"} 164",
      "deis_router_failures_total{code="uri-too-long"} 0",
      "deis_router_failures_total{code="header-too-large"} 0",
      "deis_router_failures_total{code="body-too-large"} 0",
      "deis_router_failures_total{code="method-not-allowed"} 0",
      "deis_router_failures_total{code="version-not-supported"} 0",
      "deis_router_failures_total{code="request-timeout"} 0",
      "deis_router_failures_total{code="no-endpoint"} 0",
      "deis_router_failures_total{code="loop"} 0",
      "deis_router_failures_total{code="queue-full"} 0",
      "deis_router_failures_total{code="queue-timeout"} 0",
      "deis_router_failures_total{code="connect-failed"} 0",
      "deis_router_failures_total{code="connect-timeout"} 0",
      "deis_router_failures_total{code="upstream-closed"} 0",
      "deis_router_failures_total{code="upstream-invalid"} 0",
      "deis_router_failures_total{code="upstream-timeout"} 0",
      "deis_router_client_aborts_total 146",
      "deis_router_forbidden_total 148",
      "deis_router_client_certificates_refused_total 320",
      "deis_router_compressed_responses_total{coding="gzip"} 228",
      "deis_router_compressed_responses_total{coding="br"} 0",
      "deis_router_compressed_responses_total{coding="zstd"} 0",
      "deis_router_compression_input_bytes_total{coding="gzip"} 244",
      "deis_router_compression_input_bytes_total{coding="br"} 0",
      "deis_router_compression_input_bytes_total{coding="zstd"} 0",
      "deis_router_compression_output_bytes_total{coding="gzip"} 260",
      "deis_router_compression_output_bytes_total{coding="br"} 0",
      "deis_router_compression_output_bytes_total{coding="zstd"} 0",
      "deis_router_log_dropped_total 6",
      "deis_router_access_log_dropped_total 141",
      "deis_router_data_thread_restarts_total 2",
      "deis_router_config_version 7",
      "deis_router_config_applied_timestamp_seconds 990",
      "deis_router_config_age_seconds 10",
      "deis_router_snapshot_served 0",
      "deis_router_snapshot_saved_timestamp_seconds 0",
      "deis_router_routes 121",
      "deis_router_certificates 122",
      "deis_router_certificate_expiry_timestamp_seconds{certificate="self-signed"} 2082758400",
      "deis_router_leader 1",
      "deis_router_status_writes_total{result="ok"} 31",
      "deis_router_status_writes_total{result="error"} 32",
      "deis_router_events_total{result="written"} 33",
      "deis_router_events_total{result="dropped"} 34",
    ]
  `)
})

test('every metric of ours has a help line and a type, and no line comes twice', async () => {
  const { publish, lines } = bench()
  publish({ reset: true, routes: [routeOf('a.example', 'a')], apps: [{ app: 'a', slot: 3 }] })
  const ours = await lines(/deis_router_/)
  const named = (comment: string) => ours.filter(line => line.startsWith(comment)).map(line => line.split(' ')[2])
  expect(named('# HELP')).toEqual(named('# TYPE'))
  expect(new Set(ours).size).toBe(ours.length)
  for (const line of ours.filter(line => !line.startsWith('#')))
    expect(line).toMatch(/^deis_router_[a-z0-9_]+(\{([a-z]+="[^"]*",?)+\})? [0-9.e+]+$/)
})

test('docs/metrics.md lists every metric of ours, with its type, labels and help', async () => {
  const { publish, watch: watchStates, lines } = bench()
  publish({ reset: true, routes: [routeOf('a.example', 'a')], apps: [{ app: 'a', slot: 3 }] })
  watchStates(watch('services'))
  const helps = await lines(/^# HELP deis_router_/)
  const types = await lines(/^# TYPE deis_router_/)
  const samples = await lines(/^deis_router_/)
  const rows = helps.map((help, index) => {
    const [, , name = ''] = help.split(' ', 3)
    const type = types[index]!.split(' ')[3]!
    const sample = samples.find(line => line.startsWith(type === 'histogram' ? `${name}_bucket{` : name))
    const labels = Array.from(sample!.matchAll(/([a-z]+)="/g), ([, label]) => `\`${label}\``).join(', ')
    return `| \`${name}\` | ${type} | ${labels} | ${help.slice(`# HELP ${name} `.length)} |`
  })
  const document = await readFile(new URL('../../docs/metrics.md', import.meta.url), 'utf8')
  expect(document.split('\n').filter(line => line.startsWith('| `deis_router_'))).toEqual(rows)
})

test('an app begins at zero and vanishes with its last route', async () => {
  const { publish, lines } = bench()
  const route = routeOf('a.example', 'a')
  publish({ reset: true, routes: [route], apps: [{ app: 'a', slot: 3 }] })
  expect(await lines(/app="a",class="2xx"/)).toEqual(['deis_router_requests_total{app="a",class="2xx"} 0'])
  publish({ withoutRoutes: [route.id] })
  expect(await lines(/app="a"/)).toEqual([])
})

test('an app that gets the row of another does not inherit its numbers', async () => {
  const { threads, publish, lines } = bench()
  const requests = () => lines(/requests_total\{app="[ab]",class="2xx"/)
  publish({ reset: true, routes: [routeOf('a.example', 'a')], apps: [{ app: 'a', slot: 3 }] })
  threads[0]![rowOffset(3) + appCounter.status + 1] = 10
  expect(await requests()).toEqual(['deis_router_requests_total{app="a",class="2xx"} 10'])
  publish({ reset: true, routes: [routeOf('b.example', 'b')], apps: [{ app: 'b', slot: 3 }] })
  expect(await requests()).toEqual(['deis_router_requests_total{app="b",class="2xx"} 0'])
  threads[1]![rowOffset(3) + appCounter.status + 1] = 4
  expect(await requests()).toEqual(['deis_router_requests_total{app="b",class="2xx"} 4'])
})

test('apps that share a row are one series', async () => {
  const { threads, publish, lines } = bench()
  const apps = ['a', 'b'].map(app => ({ app, slot: fixedSlot.otherApps }))
  publish({ reset: true, routes: [routeOf('a.example', 'a'), routeOf('b.example', 'b')], apps })
  threads[0]![rowOffset(fixedSlot.otherApps) + appCounter.status + 3] = 6
  expect(await lines(/requests_total\{.*class="4xx"/)).toEqual([
    'deis_router_requests_total{app="router-default-vhost",class="4xx"} 0',
    'deis_router_requests_total{app="router-rejected",class="4xx"} 0',
    'deis_router_requests_total{app="router-other-apps",class="4xx"} 6',
  ])
})

test('problems are counted by code and severity, zeros included', async () => {
  const { problems, lines } = bench()
  const object = { kind: 'Service', namespace: 'a', name: 'b' }
  problems.push(
    { code: 'host-conflict', severity: 'warning', object, message: 'x' },
    { code: 'host-conflict', severity: 'warning', object, message: 'y' },
  )
  expect(await lines(/^deis_router_problems\{code="(host-conflict|forbidden)"/)).toEqual([
    'deis_router_problems{code="host-conflict",severity="error"} 0',
    'deis_router_problems{code="forbidden",severity="error"} 0',
    'deis_router_problems{code="host-conflict",severity="warning"} 2',
    'deis_router_problems{code="forbidden",severity="warning"} 0',
  ])
})

test('watches of Secrets are one series, and their totals do not fall when one ends', async () => {
  const { watch: watchStates, lines } = bench()
  const services = watch('services', { events: 9, connected: false })
  watchStates(
    services,
    watch('secret a/x', { events: 5, relists: 1 }),
    watch('secret a/y', { events: 2, synced: false }),
  )
  expect(await lines(/^deis_router_watch_/)).toEqual([
    'deis_router_watch_connected{resource="services"} 0',
    'deis_router_watch_connected{resource="secrets"} 1',
    'deis_router_watch_synced{resource="services"} 1',
    'deis_router_watch_synced{resource="secrets"} 0',
    'deis_router_watch_events_total{resource="services"} 9',
    'deis_router_watch_events_total{resource="secrets"} 7',
    'deis_router_watch_relists_total{resource="services"} 0',
    'deis_router_watch_relists_total{resource="secrets"} 1',
    'deis_router_watch_reconnects_total{resource="services"} 0',
    'deis_router_watch_reconnects_total{resource="secrets"} 0',
  ])
  watchStates(services, watch('secret a/y', { events: 3 }))
  expect(await lines(/events_total\{resource="secrets"/)).toEqual([
    'deis_router_watch_events_total{resource="secrets"} 8',
  ])
  watchStates(services, watch('secret a/x', { events: 1 }), watch('secret a/y', { events: 3 }))
  expect(await lines(/events_total\{resource="secrets"/)).toEqual([
    'deis_router_watch_events_total{resource="secrets"} 9',
  ])
})

test('a snapshot that is served is as old as its writing', async () => {
  const { threads, snapshot, lines } = bench()
  for (const counters of threads) counters[counter.configAppliedAt] = 990_000
  const figures = /^deis_router_(snapshot_|config_(age|applied))/
  expect(await lines(figures)).toEqual([
    'deis_router_config_applied_timestamp_seconds 990',
    'deis_router_config_age_seconds 10',
    'deis_router_snapshot_served 0',
    'deis_router_snapshot_saved_timestamp_seconds 0',
  ])
  snapshot.served = 400_000
  snapshot.saved = 400_000
  expect(await lines(figures)).toEqual([
    'deis_router_config_applied_timestamp_seconds 400',
    'deis_router_config_age_seconds 600',
    'deis_router_snapshot_served 1',
    'deis_router_snapshot_saved_timestamp_seconds 400',
  ])
})

test('before any thread has started there are zeros', async () => {
  const metrics = quietMetrics({ published: new Published(certificateOf('self-signed')) })
  const lines = (await metrics.text()).split('\n')
  expect(lines).toContain('deis_router_config_version 0')
  expect(lines).toContain('deis_router_config_age_seconds 0')
  expect(lines).toContain('deis_router_connections_open{listener="http"} 0')
  expect(lines.some(line => line.startsWith('process_cpu_seconds_total '))).toBe(true)
  expect(lines.filter(line => /^nodejs_eventloop_lag_/.test(line))).toEqual([
    expect.stringMatching(/^nodejs_eventloop_lag_seconds \d/),
  ])
  expect(lines.filter(line => / NaN$|e\+1\d$/.test(line))).toEqual([])
})
