// Where a PostgreSQL is, and how its connections are set up.

import type { ClientConfig } from 'pg'

export type PostgresTarget =
  | {
      readonly kind: 'postgres'
      /** A name or address; or the directory of the server's socket. */
      readonly host: string
      readonly port: number
      readonly user: string
      readonly password: string
      readonly database: string
      /** Null: in the clear. `ca` null: who the machine trusts, else PEM. */
      readonly tls: { readonly ca: string | null } | null
    }
  /** `postgresql://user:password@host:port/database?sslmode=verify-full` */
  | { readonly kind: 'postgres'; readonly url: string }

/** Longest wait for a connection, milliseconds. */
const connectTimeout = 10_000

// A machine that vanished does not say goodbye. Both sides find out within half a minute, so that its locks are free
// again soon. (The server's settings are ignored on a socket file, where it always knows.)
const keepAlive = 10_000
const serverKeepAlive = '-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3'

// To compile a plan takes longer than any query of ours.
const serverOptions = `${serverKeepAlive} -c jit=off`

export function connectionOf(target: PostgresTarget): ClientConfig {
  const common = {
    connectionTimeoutMillis: connectTimeout,
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAlive,
    options: serverOptions,
  }
  if ('url' in target) return { ...common, connectionString: target.url }
  const { host, port, user, password, database, tls } = target
  const ssl = tls === null ? false : { rejectUnauthorized: true, ...(tls.ca === null ? {} : { ca: tls.ca }) }
  return { ...common, host, port, user, password, database, ssl }
}

/** For messages: without the password. */
export function nameOf(target: PostgresTarget): string {
  if (!('url' in target)) return `${target.host}:${target.port}/${target.database}`
  try {
    const { host, pathname } = new URL(target.url)
    return `${host}${pathname}`
  } catch {
    return 'the database of that URL'
  }
}
