// One line per request (contract section 14), composed as octets and handed over in whole lines.

import type { Fields } from './http/fields.ts'
import type { RequestHead } from './http/request-head.ts'
import { copyEscaped } from './log-escape.ts'
import { compileLogFormat, type LogFormat } from './log-format.ts'
import { seconds } from './log-time.ts'
import { LogValues, maxLine } from './log-values.ts'

/** What a line tells; octet ranges are in `octets` and escaped already. */
export interface LogRecord {
  readonly logApp: string
  readonly logServerName: string
  readonly clientAddress: string
  /** User of Basic authentication, escaped; `-` without. */
  readonly logUser: string
  readonly status: number
  readonly bytesSent: number
  /** `ADDRESS:PORT` of the endpoint; `-` when no endpoint was asked. */
  readonly upstreamName: string
  /** Milliseconds; -1: no endpoint answered. */
  readonly upstreamTime: number
  readonly requestTime: number
  readonly logOctets: LogOctets
  // The rest is for formats of the operator's own; what is absent is logged as `-`.
  /** Those of all endpoints that were asked, in their order; as `upstreamName` when absent. */
  readonly upstreamNames?: string
  /** Name of the virtual host; empty: none. */
  readonly host?: string
  /** The two field lines, X-Request-Id first; empty: there are none. Each character is an octet. */
  readonly requestIdLines?: string
  /** Octets of the request's head and body. */
  readonly requestBytes?: number
  /** Octets of heads among `bytesSent`. */
  readonly headBytesSent?: number
  /** Status of the endpoint's answer; 0: none came. */
  readonly upstreamStatus?: number
  /** Octets of the endpoint's answer, head and body. */
  readonly upstreamBytes?: number
  /** Milliseconds from when the endpoint was asked, until the connection stood and until the head had come; -1: neither. */
  readonly upstreamConnectTime?: number
  readonly upstreamHeaderTime?: number
  /** Effective scheme (contract section 8). */
  readonly accessScheme?: string
}

/** The connection, for such formats; read when the head has come. */
export interface LogClient {
  readonly secure: boolean
  /** Of HTTP: 1 or 2. Requests of version 2 are translated, and say so in their request line. */
  readonly majorVersion: number
  /** The client, as a PROXY header named it or else the other end of the TCP connection, which `tcpPeer` always is. */
  readonly peer: string
  readonly tcpPeer: string
  /** Whether a PROXY header named `peer`. */
  readonly ignoresForwardedFor: boolean
  readonly socket: LogSocket
  /** Which connection of its thread this is, counted from 1, and which of its requests. */
  readonly serial: number
  readonly requests: number
}

/** What there is of it in a socket, TLS or not. */
interface LogSocket {
  readonly remotePort?: number | undefined
  readonly localAddress?: string | undefined
  readonly localPort?: number | undefined
  getProtocol?(): string | null
  getCipher?(): { readonly name: string } | null
  readonly servername?: string | false | null | undefined
}

/** Longest parts kept of what a client sent; what is longer is cut, so that a line is bounded. */
const maxRequestLine = 8192
const maxValue = 2048
const maxHost = 255

const chunkSize = 128 * 1024

/** The parts of a line that the client sent, copied before the buffer they came in is read into again. */
export class LogOctets {
  buffer: Buffer = Buffer.allocUnsafeSlow(1024)
  requestLineEnd = 0
  refererEnd = 0
  userAgentEnd = 0
  hostEnd = 0
  /** The format that this request is logged in, once its head has come; null: the standard one. */
  format: LogFormat | null = null
  values: LogValues | null = null

  clear(): void {
    this.format = null
    this.requestLineEnd = this.refererEnd = this.userAgentEnd = this.hostEnd = 0
    if (this.buffer.length > 8192) this.buffer = Buffer.allocUnsafeSlow(1024)
  }

  /** For a format of the operator's own, instead of `capture`. */
  captureFor(format: LogFormat, head: RequestHead, buffer: Buffer, client: LogClient | null): void {
    this.format = format
    this.values ??= new LogValues()
    format.capture(this.values, head, buffer, client)
  }

  /** The fields of the endpoint's final answer, before their buffer is read into again. */
  captureAnswer(fields: Fields, buffer: Buffer): void {
    if (this.format !== null) this.format.captureAnswer(this.values!, fields, buffer)
  }

  /** Ranges of `source`; an empty one is logged as `-`, but for the request line. */
  capture(
    source: Uint8Array,
    lineStart: number,
    lineEnd: number,
    refererStart: number,
    refererEnd: number,
    agentStart: number,
    agentEnd: number,
    hostStart: number,
    hostEnd: number,
  ): void {
    const line = Math.min(lineEnd, lineStart + maxRequestLine)
    const referer = Math.min(refererEnd, refererStart + maxValue)
    const agent = Math.min(agentEnd, agentStart + maxValue)
    const host = Math.min(hostEnd, hostStart + maxHost)
    const octets = line - lineStart + referer - refererStart + agent - agentStart + host - hostStart
    if (this.buffer.length < octets * 4 + 16) this.buffer = Buffer.allocUnsafeSlow(octets * 4 + 16)
    this.requestLineEnd = copyEscaped(source, lineStart, line, this.buffer, 0)
    this.refererEnd = this.#value(source, refererStart, referer, this.requestLineEnd)
    this.userAgentEnd = this.#value(source, agentStart, agent, this.refererEnd)
    this.hostEnd = this.#value(source, hostStart, host, this.userAgentEnd)
  }

  #value(source: Uint8Array, start: number, end: number, at: number): number {
    if (end > start) return copyEscaped(source, start, end, this.buffer, at)
    this.buffer[at] = 0x2d
    return at + 1
  }
}

export class AccessLog {
  #buffer: Buffer<ArrayBuffer> = Buffer.allocUnsafeSlow(chunkSize)
  #at = 0
  readonly #send: (lines: Uint8Array<ArrayBuffer>) => void
  #formatText: string | null = null
  /** What requests are to be logged in that come from now on; null: the standard format. */
  format: LogFormat | null = null

  /** `send` takes ownership of the memory it is given. */
  constructor(send: (lines: Uint8Array<ArrayBuffer>) => void) {
    this.#send = send
  }

  /** `text` is what the annotation `logFormat` says, or null. A request keeps to the format in force when its head came. */
  use(text: string | null): void {
    if (text === this.#formatText) return
    this.#formatText = text
    this.format = compileLogFormat(text)
  }

  write(time: string, record: LogRecord): void {
    const octets = record.logOctets
    // Without a head nothing was captured for any format.
    const format = octets.format ?? (octets.hostEnd === 0 ? this.format : null)
    if (format !== null) {
      if (chunkSize - this.#at < maxLine) this.flush()
      this.#at = format.write(this.#buffer, this.#at, time, record, octets.format === null ? null : octets.values)
      if (this.#at > chunkSize / 2) this.flush()
      return
    }
    const room = octets.hostEnd + record.logApp.length + record.logServerName.length + record.logUser.length + 512
    if (chunkSize - this.#at < room) {
      this.flush()
      if (room > chunkSize) return
    }
    const target = this.#buffer
    let at = this.#at
    at += target.write(
      `${time} - ${record.logApp} - ${record.clientAddress} - ${record.logUser} - ${record.status} - "`,
      at,
      'latin1',
    )
    at += octets.buffer.copy(target, at, 0, octets.requestLineEnd)
    at += target.write(`" - ${record.bytesSent} - "`, at, 'latin1')
    if (octets.hostEnd === 0) at += target.write('-" - "-', at, 'latin1')
    else {
      at += octets.buffer.copy(target, at, octets.requestLineEnd, octets.refererEnd)
      at += target.write('" - "', at, 'latin1')
      at += octets.buffer.copy(target, at, octets.refererEnd, octets.userAgentEnd)
    }
    at += target.write(`" - "${record.logServerName}" - ${record.upstreamName} - `, at, 'latin1')
    if (octets.hostEnd === 0) target[at++] = 0x2d
    else at += octets.buffer.copy(target, at, octets.userAgentEnd, octets.hostEnd)
    const upstream = record.upstreamTime < 0 ? '-' : seconds(record.upstreamTime)
    at += target.write(` - ${upstream} - ${seconds(record.requestTime)}\n`, at, 'latin1')
    this.#at = at
    if (at > chunkSize / 2) this.flush()
  }

  /** Hands over what is there; call it about ten times a second, so that lines do not wait for others. */
  flush(): void {
    if (this.#at === 0) return
    if (this.#at < chunkSize / 8) {
      // A copy of little is cheaper than new pages for the whole buffer.
      const lines = new Uint8Array(this.#at)
      lines.set(this.#buffer.subarray(0, this.#at))
      this.#send(lines)
    } else {
      this.#send(new Uint8Array(this.#buffer.buffer, 0, this.#at))
      this.#buffer = Buffer.allocUnsafeSlow(chunkSize)
    }
    this.#at = 0
  }
}
