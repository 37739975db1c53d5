// The counters that data threads add to and control reads: one SharedArrayBuffer of float64 for each data thread,
// so that a metric costs the request path an addition and the reader no message. A thread is the only writer of its
// own buffer; aligned 64-bit loads do not tear on the platforms we run on. Numbers only grow, except where noted.

/** Positions of the thread-wide counters. */
export const counter = {
  httpAccepted: 0,
  httpsAccepted: 1,
  /** Gauges: connections open now. */
  httpOpen: 2,
  httpsOpen: 3,
  /** Gauge: upgraded connections open now. */
  tunnelsOpen: 4,
  tlsHandshakes: 5,
  tlsHandshakeErrors: 6,
  /** Requests refused because their bytes are no HTTP (RFC 9112). */
  malformedRequests: 7,
  upstreamConnects: 8,
  upstreamConnectRefused: 9,
  upstreamConnectTimeouts: 10,
  upstreamConnectErrors: 11,
  /** Requests sent on a connection that had served one before. */
  upstreamReused: 12,
  /** Gauges: upstream connections open now, and those of them that wait in a pool. */
  upstreamOpen: 13,
  upstreamIdle: 14,
  /** Retries that the budget did not allow. */
  upstreamRetriesDenied: 15,
  upstreamTimeouts: 16,
  upstreamInvalidResponses: 17,
  accessLogDropped: 18,
  /** Gauge: version of the configuration in force. */
  configVersion: 19,
  /** Gauge: when it came into force, milliseconds since the epoch. */
  configAppliedAt: 20,
  /** Gauges: what the thread's table holds. */
  routes: 21,
  certificates: 22,
  /** Requests whose client went away before the answer was complete. */
  clientAborts: 23,
  /** Requests refused because an allow list does not hold their client: 403. */
  forbidden: 24,
  /** Connections to the builder's port: all there were, and (a gauge) those that are open now. */
  builderAccepted: 25,
  builderOpen: 26,
  /** Connections closed because they did not begin with a valid PROXY header. */
  proxyProtocolErrors: 27,
  /** Connections closed at once because as many as allowed were open. */
  connectionsRefused: 28,
  /** Times that accepting a connection failed, mostly for want of file descriptors. */
  acceptErrors: 29,
  /** Grows with every tick of a thread that is alive. */
  heartbeat: 30,
  /** Idle connections closed to make room for others. */
  connectionsEvicted: 31,
  /** As many as there are `failureCodes`, in their order. */
  failures: 32,
  /** As many of each as there are `codings`, in their order: answers compressed, and their octets before and after. */
  codedResponses: 64,
  codedOctetsIn: 72,
  codedOctetsOut: 80,
  /** Gauge: requests whose first octets have come and whose end has not, tunnels among them. */
  requestsOpen: 88,
  /** Requests that waited for a place, and (a gauge) those that wait now. */
  upstreamWaits: 92,
  upstreamWaiting: 93,
  /** Times that an endpoint was put to rest, because it could not be reached and because it did not answer. */
  upstreamRestsUnreachable: 94,
  upstreamRestsFailing: 95,
  /** Gauges: endpoints at rest or on trial, and those that fail their health checks. */
  upstreamResting: 96,
  upstreamUnhealthy: 97,
  healthChecksPassed: 98,
  healthChecksFailed: 99,
  /** HTTP/2: connections, streams, streams that were reset before their end, connections closed for what they did. */
  http2Accepted: 100,
  http2Streams: 101,
  http2Resets: 102,
  http2Offences: 103,
  /** As many as there are `retryReasons`, in their order. */
  upstreamRetries: 104,
  /** Requests sent on streams of HTTP/2. */
  upstreamStreams: 108,
  /** Requests refused because their client did not show the certificate that the app asks for. */
  clientCertificatesRefused: 110,
} as const

/**
 * Why a request goes out again: no connection came about; the endpoint closed one without an answer; it closed one
 * that had been kept, as we wrote; or it said, in HTTP/2, that it had not looked at the request. Stable: metrics name them.
 */
export const retryReasons = ['connect', 'closed', 'stale', 'unprocessed'] as const

/** Content codings that answers are compressed with. Stable: metrics name them. */
export const codings = ['gzip', 'br', 'zstd'] as const

/** Every way in which a request can fail. Stable: metrics and the log name them. */
export const failureCodes = [
  // What the client sent, or that it left.
  'bad-request',
  'uri-too-long',
  'header-too-large',
  'body-too-large',
  'method-not-allowed',
  'version-not-supported',
  'request-timeout',
  // What the endpoint did, or that there is none.
  'no-endpoint',
  // It has passed routers like this one too often.
  'loop',
  // That as many requests are in flight as may be: none may wait any more, or it has waited long enough.
  'queue-full',
  'queue-timeout',
  'connect-failed',
  'connect-timeout',
  'upstream-closed',
  'upstream-invalid',
  'upstream-timeout',
] as const

export type FailureCode = (typeof failureCodes)[number]

/** Upper bounds of the request duration histogram, in seconds; the last bucket is +Inf. */
export const durationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const

/** Offsets within an app's row. */
export const appCounter = {
  /** Five: answers of status class 1xx to 5xx. */
  status: 0,
  requestBytes: 5,
  responseBytes: 6,
  durationSum: 7,
  /** One for each duration bucket and one for +Inf; not cumulative. */
  duration: 8,
  /** Answers that crossed uncompressed for want of an encoder. */
  codingsRefused: 24,
} as const

const header = 128
export const rowSize = 32
/** Apps beyond this many share the row `otherApps`, so that tenants cannot grow the metrics without bound. */
export const maxApps = 16_384

/** Rows that always exist. */
export const fixedSlot = { defaultVhost: 0, rejected: 1, otherApps: 2 } as const
/** First row for an app of its own. */
export const firstAppSlot = 3

/** Where the row of `slot` begins. */
export function rowOffset(slot: number): number {
  return header + slot * rowSize
}

/** The slot whose row begins at `offset`. */
export function slotAt(offset: number): number {
  return (offset - header) / rowSize
}

/** A zeroed buffer; its pages cost memory only when they are first written. */
export function createCounters(): SharedArrayBuffer {
  return new SharedArrayBuffer((header + maxApps * rowSize) * Float64Array.BYTES_PER_ELEMENT)
}
