// What data threads count of all apps together, as metrics.

import { codings, counter, failureCodes, retryReasons } from '../model/counters.ts'
import { type Metric, single } from './metric.ts'

/** `sum`: of all threads, of the counter at a position. */
export function threadMetrics(sum: (position: number) => number): readonly Metric[] {
  const total = (name: string, help: string, position: number): Metric =>
    single(name, 'counter', help, () => sum(position))
  const gauge = (name: string, help: string, position: number): Metric =>
    single(name, 'gauge', help, () => sum(position))
  const byLabel = (
    name: string,
    type: Metric['type'],
    help: string,
    label: string,
    at: Readonly<Record<string, number>>,
  ): Metric => ({
    name,
    type,
    help,
    read: () => Object.entries(at).map(([value, position]) => ({ labels: { [label]: value }, value: sum(position) })),
  })
  const byCoding = (name: string, help: string, first: number): Metric =>
    byLabel(name, 'counter', help, 'coding', inOrder(codings, first))

  return [
    byLabel('connections_accepted_total', 'counter', 'Connections from clients.', 'listener', {
      http: counter.httpAccepted,
      https: counter.httpsAccepted,
    }),
    byLabel('connections_open', 'gauge', 'Connections from clients that are open.', 'listener', {
      http: counter.httpOpen,
      https: counter.httpsOpen,
    }),
    total(
      'connections_refused_total',
      'Connections from clients closed at once, because as many as allowed were open.',
      counter.connectionsRefused,
    ),
    total(
      'connections_evicted_total',
      'Idle connections from clients closed to make room for others.',
      counter.connectionsEvicted,
    ),
    total(
      'accept_errors_total',
      'Times that accepting a connection failed, mostly for want of file descriptors.',
      counter.acceptErrors,
    ),
    total(
      'proxy_protocol_errors_total',
      'Connections closed because they did not begin with a valid PROXY header.',
      counter.proxyProtocolErrors,
    ),
    total('builder_connections_accepted_total', "Connections to the builder's port.", counter.builderAccepted),
    gauge('builder_connections_open', "Connections to the builder's port that are open.", counter.builderOpen),
    gauge('requests_open', 'Requests under way, upgraded connections among them.', counter.requestsOpen),
    gauge('tunnels_open', 'Upgraded connections that are open.', counter.tunnelsOpen),
    byLabel('tls_handshakes_total', 'counter', 'TLS handshakes with clients.', 'result', {
      ok: counter.tlsHandshakes,
      error: counter.tlsHandshakeErrors,
    }),
    total('http2_connections_total', 'Connections from clients that speak HTTP/2.', counter.http2Accepted),
    total('http2_streams_total', 'Requests over HTTP/2.', counter.http2Streams),
    total('http2_resets_total', 'Streams of HTTP/2 reset before their end, by either side.', counter.http2Resets),
    total(
      'http2_offences_total',
      'Connections closed because their client did too much of what costs and brings nothing.',
      counter.http2Offences,
    ),
    total('malformed_requests_total', 'Requests refused because they are not HTTP.', counter.malformedRequests),
    byLabel('upstream_connects_total', 'counter', 'Connections to endpoints that were tried.', 'result', {
      ok: counter.upstreamConnects,
      refused: counter.upstreamConnectRefused,
      timeout: counter.upstreamConnectTimeouts,
      error: counter.upstreamConnectErrors,
    }),
    total(
      'upstream_requests_reused_total',
      'Requests sent on a connection that had served one before.',
      counter.upstreamReused,
    ),
    total('upstream_http2_streams_total', 'Requests sent to endpoints in HTTP/2.', counter.upstreamStreams),
    gauge('upstream_connections_open', 'Connections to endpoints that are open.', counter.upstreamOpen),
    gauge('upstream_connections_idle', 'Those of them that wait for a request.', counter.upstreamIdle),
    byLabel(
      'upstream_retries_total',
      'counter',
      'Requests sent to an endpoint again, by what had become of the last try.',
      'reason',
      inOrder(retryReasons, counter.upstreamRetries),
    ),
    total('upstream_retries_denied_total', 'Retries that the budget did not allow.', counter.upstreamRetriesDenied),
    total('upstream_waits_total', 'Requests that had to wait for others to end.', counter.upstreamWaits),
    gauge('upstream_waiting', 'Those of them that wait.', counter.upstreamWaiting),
    byLabel('upstream_rests_total', 'counter', 'Times that a data thread let an endpoint rest.', 'reason', {
      unreachable: counter.upstreamRestsUnreachable,
      failing: counter.upstreamRestsFailing,
    }),
    gauge('upstream_endpoints_resting', 'Endpoints at rest or on trial, of all data threads.', counter.upstreamResting),
    byLabel('upstream_health_checks_total', 'counter', 'Health checks of endpoints.', 'result', {
      ok: counter.healthChecksPassed,
      error: counter.healthChecksFailed,
    }),
    gauge(
      'upstream_endpoints_unhealthy',
      'Endpoints that fail their health checks, of all data threads.',
      counter.upstreamUnhealthy,
    ),
    total('upstream_timeouts_total', 'Requests that an endpoint did not answer in time.', counter.upstreamTimeouts),
    total(
      'upstream_invalid_responses_total',
      'Answers of endpoints that are not HTTP.',
      counter.upstreamInvalidResponses,
    ),
    byLabel(
      'failures_total',
      'counter',
      'Requests that failed, by cause; answers that an endpoint cut short are among `upstream-closed`.',
      'code',
      inOrder(failureCodes, counter.failures),
    ),
    total(
      'client_aborts_total',
      'Requests whose client went away before the answer was complete.',
      counter.clientAborts,
    ),
    total('forbidden_total', 'Requests answered 403, their client being in no allowed block.', counter.forbidden),
    total(
      'client_certificates_refused_total',
      'Requests refused because their client did not show the certificate that the app asks for.',
      counter.clientCertificatesRefused,
    ),
    byCoding('compressed_responses_total', 'Answers compressed, by content coding.', counter.codedResponses),
    byCoding(
      'compression_input_bytes_total',
      'Bytes of answers before they were compressed, by content coding.',
      counter.codedOctetsIn,
    ),
    byCoding(
      'compression_output_bytes_total',
      'Bytes they were compressed to, by content coding.',
      counter.codedOctetsOut,
    ),
  ]
}

/** Of words whose counters follow each other. */
function inOrder(words: readonly string[], first: number): Readonly<Record<string, number>> {
  return Object.fromEntries(words.map((word, index) => [word, first + index]))
}
