// The work that every proxy is measured at. One row is one case: a new kind of work is a new row.

/** What is asked of the proxy, and of nobody else: load, backend and logging are the same in every case. */
export interface Case {
  readonly name: string
  /** One line for the table. */
  readonly title: string
  readonly scheme: 'http' | 'https'
  readonly protocol: 'http/1.1' | 'h2'
  /** Client connections; null: as the command line says. */
  readonly connections: number | null
  /** Requests under way on a connection at once. */
  readonly streams: number
  /** A connection serves one request: over TLS each begins with a full handshake. */
  readonly freshConnections: boolean
  /** Host routes configured; each request draws its host at random. */
  readonly routes: number
  readonly method: 'GET' | 'POST'
  /** A path of the backend (`backend.ts`). */
  readonly path: '/1k' | '/1m' | '/upload' | '/json'
  readonly requestBytes: number
  /** Before any compression. */
  readonly answerBytes: number
  /**
   * `on`: the proxy compresses (gzip level 5 and its other defaults) for who wants it, and nobody does; `asked`: every
   * request wants gzip.
   */
  readonly compression: 'off' | 'on' | 'asked'
  /** What CPU time is divided by; `MB` is 1,000,000 bytes of answer bodies. */
  readonly unit: 'request' | 'MB'
}

const small = {
  scheme: 'http',
  protocol: 'http/1.1',
  connections: null,
  streams: 1,
  freshConnections: false,
  routes: 1,
  method: 'GET',
  path: '/1k',
  requestBytes: 0,
  answerBytes: 1_024,
  compression: 'off',
  unit: 'request',
} as const

/** What an API sends: records that resemble each other. */
const json = { ...small, path: '/json', answerBytes: 16_384 } as const

export const cases: readonly Case[] = [
  { ...small, name: 'keepalive-1k', title: 'HTTP/1.1 keep-alive, answers of 1 kB' },
  { ...small, name: 'tls-keepalive-1k', title: 'the same over TLS 1.3, ECDSA P-256', scheme: 'https' },
  {
    ...small,
    name: 'h2-1k-tls',
    title: 'HTTP/2 over TLS 1.3, 16 connections of 32 streams, answers of 1 kB',
    scheme: 'https',
    protocol: 'h2',
    connections: 16,
    streams: 32,
  },
  {
    ...small,
    name: 'handshake-p256',
    title: 'a full TLS 1.3 handshake, ECDSA P-256, for every request of 1 kB',
    scheme: 'https',
    freshConnections: true,
  },
  { ...small, name: 'routes-5000', title: '5,000 host routes, random host, answers of 1 kB', routes: 5_000 },
  {
    ...small,
    name: 'post-16k',
    title: 'uploads of 16 kB, short answers',
    method: 'POST',
    path: '/upload',
    requestBytes: 16_384,
    answerBytes: 2,
  },
  {
    ...small,
    name: 'download-1m',
    title: 'answers of 1 MB',
    path: '/1m',
    answerBytes: 1_000_000,
    unit: 'MB',
  },
  { ...json, name: 'json-16k', title: 'answers of 16 kB of JSON, compression off' },
  { ...json, name: 'json-16k-on', title: 'the same, compression on and not asked for', compression: 'on' },
  {
    ...json,
    name: 'json-16k-gzip',
    title: 'the same, every answer compressed with gzip, level 5',
    compression: 'asked',
  },
]
