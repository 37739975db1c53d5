// Whom an exchange serves: a connection of HTTP/1.1 (`connection.ts`) or a stream of HTTP/2 (`../h2/stream.ts`). Inside the
// router every message is octets of HTTP/1.1; what a client speaks is translated at this edge.

import type { LogClient } from '../access-log.ts'
import type { ClientCertificate } from '../client-certificate.ts'
import type { PreferenceMemo } from '../coding/preferences.ts'
import type { ThreadContext } from '../context.ts'
import type { RequestHead } from './request-head.ts'
import type { Tunnel, TunnelClient } from './upgrade.ts'

export interface Client extends LogClient, TunnelClient {
  readonly context: ThreadContext
  /** What X-Forwarded-Port says when the client does not. */
  readonly port: string
  /** What the handshake told of its certificate; null: it asked for none. */
  readonly clientCertificate: ClientCertificate | null
  /** The lines that tell an app of the client, for a request that says nothing about it itself, and the mark. */
  readonly forwarded: Buffer
  /** What its requests say about codings. */
  readonly preferences: PreferenceMemo
  /** `hostNameOf`, remembered: the requests of a connection nearly always name the same host. */
  hostName(head: RequestHead, buffer: Buffer): string
  /** Octets that it has been sent and not taken. */
  readonly waiting: number
  /** Whether the client, slowly, has taken some of what waits for it since this was asked last. */
  taking(): boolean
  /** Stops reading after what has been read. */
  pause(): void
  sendContinue(): void
  /** The exchange is over and its answer is written. With `close` the connection is not used again. */
  finished(close: boolean): void
  /** The exchange has become a tunnel; octets that the client sent meanwhile go into it. */
  upgraded(tunnel: Tunnel): void
}
