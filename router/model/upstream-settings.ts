// How the endpoints of an upstream are used: plain frozen data, from the annotations of its Service, whoever routes to it.

/** What is spoken to endpoints. `https` is HTTP/1.1 over TLS, `h2` HTTP/2 over TLS, `h2c` HTTP/2 with prior knowledge. */
export type UpstreamProtocol = 'http1' | 'https' | 'h2c' | 'h2'

/** What of a request decides where it goes. Names of fields are in lower case, those of cookies as they are. */
export type HashKey =
  | { readonly kind: 'client-address' }
  | { readonly kind: 'header'; readonly name: string }
  | { readonly kind: 'cookie'; readonly name: string }

export type Balance =
  /** Of two, the one with fewer requests in flight. */
  | { readonly kind: 'power-of-two' }
  | { readonly kind: 'round-robin' }
  /** Equal keys go to the same endpoint, in all data threads and replicas, as long as it is there. */
  | { readonly kind: 'hash'; readonly by: HashKey }

/** Of TLS with endpoints. */
export interface UpstreamTls {
  /** Sent as server name, and what certificates are to be for; null: none is sent. */
  readonly serverName: string | null
  /** Whether certificates are checked against the roots of the system. */
  readonly verify: boolean
}

/** In flight at a time, for each data thread; 0: any number. */
export interface Limits {
  readonly requests: number
  readonly endpointRequests: number
  /** Requests that wait while a limit is reached; 0: none, they are refused at once. */
  readonly queueLength: number
  /** Milliseconds that one of them may wait. */
  readonly queueTimeout: number
}

export interface Ejection {
  /**
   * What counts as failure beside connections that do not come about: nothing; requests that get no answer; or answers
   * 502, 503 and 504 as well.
   */
  readonly on: 'off' | 'connections' | 'answers'
  /** So many in a row put an endpoint to rest. */
  readonly failures: number
}

/** Times in milliseconds. */
export interface HealthCheck {
  /** Target of a GET; with HTTP/2 it only matters that there is one: connecting is all that is tried. */
  readonly path: string
  readonly interval: number
  readonly timeout: number
  /** So many failures, or successes, in a row turn an endpoint's state. */
  readonly unhealthy: number
  readonly healthy: number
}

export interface UpstreamSettings {
  readonly protocol: UpstreamProtocol
  readonly tls: UpstreamTls
  readonly balance: Balance
  /** Name of the cookie that keeps a client with its endpoint; null: none. */
  readonly stickyCookie: string | null
  /** So long takes a new endpoint to get its whole share, milliseconds; 0: it gets it at once. */
  readonly slowStart: number
  readonly limits: Limits
  readonly ejection: Ejection
  /** Null: endpoints are taken for healthy as long as they are ready. */
  readonly healthCheck: HealthCheck | null
}

/** What holds without annotations. */
export const standardUpstreamSettings: UpstreamSettings = Object.freeze({
  protocol: 'http1',
  tls: Object.freeze({ serverName: null, verify: false }),
  balance: Object.freeze({ kind: 'power-of-two' }),
  stickyCookie: null,
  slowStart: 0,
  limits: Object.freeze({ requests: 0, endpointRequests: 0, queueLength: 64, queueTimeout: 1000 }),
  ejection: Object.freeze({ on: 'connections', failures: 5 }),
  healthCheck: null,
})
