// What every connection of a client has, whatever version of HTTP it speaks: where it comes from, and what its requests
// say again and again.

import type { Socket } from 'node:net'
import { counter } from '../../model/counters.ts'
import type { ClientCertificate } from '../client-certificate.ts'
import { PreferenceMemo } from '../coding/preferences.ts'
import type { ThreadContext } from '../context.ts'
import { Timed } from '../timers.ts'
import { FieldMemo } from './field-memo.ts'
import { forwardedLines, normalizePeer } from './forwarded.ts'
import { hostNameOf, nameIn } from './request-facts.ts'
import type { RequestHead } from './request-head.ts'

export abstract class AcceptedConnection extends Timed {
  readonly context: ThreadContext
  readonly socket: Socket
  readonly secure: boolean
  /** Whom the connection comes from: who a PROXY header names, else the TCP peer. */
  readonly peer: string
  /** The other end of the TCP connection, a load balancer maybe: trust goes by it. */
  readonly tcpPeer: string
  /** The connection began with a PROXY header, which says who the client is: X-Forwarded-For does not count. */
  readonly ignoresForwardedFor: boolean
  /** Counted from 1 in each thread. */
  readonly serial: number
  /** What the handshake told of the client's certificate; null: it asked for none. Set before anything is read. */
  clientCertificate: ClientCertificate | null = null
  /** Requests begun so far. */
  requests = 0
  /** What X-Forwarded-Port says when the client does not. */
  readonly port: string
  #forwarded: Buffer | null = null
  /** The mark in them. */
  #hopLine = ''
  #preferences: PreferenceMemo | null = null
  #host: FieldMemo | null = null

  /** `announced`: whom the PROXY header named; null: the connection did not begin with one. */
  constructor(context: ThreadContext, socket: Socket, secure: boolean, announced: string | null) {
    super()
    this.context = context
    this.socket = socket
    this.secure = secure
    this.tcpPeer = normalizePeer(socket.remoteAddress)
    this.peer = announced ?? this.tcpPeer
    this.ignoresForwardedFor = announced !== null
    this.port = secure ? '443' : '80'
    const { counters } = context
    counters[secure ? counter.httpsOpen : counter.httpOpen]!++
    counters[secure ? counter.httpsAccepted : counter.httpAccepted]!++
    this.serial = counters[counter.httpAccepted]! + counters[counter.httpsAccepted]!
  }

  /** Idle, and nothing would be lost with it. */
  abstract readonly spare: boolean
  /** For how long about an idle connection has been so: milliseconds on the thread's clock. */
  abstract readonly idleSince: number
  /** The thread stops: asks the client, where its version of HTTP knows how, to begin no more requests. */
  abstract drain(): void
  /** Says goodbye to an idle connection. */
  abstract close(): void
  /** Cuts the connection. */
  abstract destroy(): void

  get forwarded(): Buffer {
    const { hopLine } = this.context
    if (this.#forwarded === null || this.#hopLine !== hopLine) {
      this.#hopLine = hopLine
      this.#forwarded = forwardedLines(this.peer, this.secure ? 'https' : 'http', this.port, hopLine)
    }
    return this.#forwarded
  }

  hostName(head: RequestHead, buffer: Buffer): string {
    if (head.authorityEnd > head.authorityStart) return hostNameOf(head, buffer)
    this.#host ??= new FieldMemo(nameIn)
    return this.#host.read(buffer, head.hostStart, head.hostEnd)
  }

  get preferences(): PreferenceMemo {
    this.#preferences ??= new PreferenceMemo()
    return this.#preferences
  }

  /** It is counted as open no more. */
  protected uncount(): void {
    this.context.counters[this.secure ? counter.httpsOpen : counter.httpOpen]!--
  }
}
