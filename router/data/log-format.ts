// Log lines in a format of the operator's own (`logFormat`, contract section 16). The text is compiled once for each
// change of the settings: into what to copy out of a request's head while that is at hand, and into the parts of a line.
// The standard format does not come here; `access-log.ts` writes it.
//
// Whatever a client sends, a line is one line and at most `maxLine` octets long, with all of the format's own text in it:
// values are cut, never what stands between them.

import { hostname } from 'node:os'
import type { LogVariable } from '../model/log-variables.ts'
import { parseLogFormat, standardLogFormat } from '../model/log-variables.ts'
import type { LogClient, LogRecord } from './access-log.ts'
import type { Fields } from './http/fields.ts'
import { equalsIgnoreCase } from './http/octets.ts'
import type { RequestHead } from './http/request-head.ts'
import { copyEscaped, unescapeLog, wholeEscapes, writeJson } from './log-escape.ts'
import { commonLogTime, seconds } from './log-time.ts'
import { type LogValues, maxLine } from './log-values.ts'

/** Octets kept of the request line or a part of it, and of any other value that a client or an app sent. */
const maxRequestLine = 8192
const maxValue = 2048
const QUESTION = 0x3f
const HYPHEN = 0x2d
const LF = 0x0a

type HeadVariable =
  | 'request'
  | 'request_method'
  | 'request_uri'
  | 'uri'
  | 'args'
  | 'is_args'
  | 'query_string'
  | 'server_protocol'

/** Where a text comes from: the connection, when the head has come; or the record, when the request is over. */
type Source =
  | { readonly kind: 'head'; readonly name: HeadVariable }
  /** `octets`: each character is an octet that somebody sent. */
  | { readonly kind: 'client'; readonly octets: boolean; readonly read: (client: LogClient) => string }
  /** `escaped`: for the standard format already. */
  | {
      readonly kind: 'record'
      readonly form: 'plain' | 'octets' | 'escaped'
      readonly read: (record: LogRecord, time: string) => string
    }

const head = (name: HeadVariable): Source => ({ kind: 'head', name })
const client = (read: (client: LogClient) => string, octets = false): Source => ({ kind: 'client', octets, read })
const plain = (read: (record: LogRecord, time: string) => string): Source => ({ kind: 'record', form: 'plain', read })
const octets = (read: (record: LogRecord) => string): Source => ({ kind: 'record', form: 'octets', read })
const escaped = (read: (record: LogRecord) => string): Source => ({ kind: 'record', form: 'escaped', read })

const number = (value: number | undefined): string => (value === undefined ? '' : String(value))
/** Milliseconds; below zero: there is no such time. */
const duration = (value = -1): string => (value < 0 ? '' : seconds(value))

/** The value of one of several field lines. */
function valueAt(lines: string | undefined, index: number): string {
  const line = lines?.split('\r\n')[index] ?? ''
  return line.slice(line.indexOf(': ') + 2)
}

const processId = String(process.pid)
const machine = hostname()

/** Empty texts are those that a request does not have. */
const sources: Readonly<Record<LogVariable, Source>> = {
  access_scheme: plain(({ accessScheme }) => accessScheme ?? ''),
  app_name: escaped(({ logApp }) => logApp),
  args: head('args'),
  body_bytes_sent: plain(({ bytesSent, headBytesSent }) =>
    headBytesSent === undefined ? '' : String(Math.max(0, bytesSent - headBytesSent)),
  ),
  bytes_sent: plain(({ bytesSent }) => String(bytesSent)),
  connection: client(({ serial }) => String(serial)),
  connection_requests: client(({ requests }) => String(requests)),
  correlation_id: octets(({ requestIdLines }) => valueAt(requestIdLines, 1)),
  gzip_ratio: plain(() => ''),
  host: octets(({ host }) => host ?? ''),
  hostname: octets(() => machine),
  http2: client(({ majorVersion, secure }) => (majorVersion === 1 ? '' : secure ? 'h2' : 'h2c')),
  https: client(({ secure }) => (secure ? 'on' : '')),
  is_args: head('is_args'),
  msec: plain(() => (Date.now() / 1000).toFixed(3)),
  pid: plain(() => processId),
  pipe: plain(() => '.'),
  proxy_protocol_addr: client(({ ignoresForwardedFor, peer }) => (ignoresForwardedFor ? peer : '')),
  query_string: head('query_string'),
  realip_remote_addr: client(({ tcpPeer }) => tcpPeer),
  remote_addr: plain(({ clientAddress }) => clientAddress),
  remote_port: client(({ socket }) => number(socket.remotePort)),
  remote_user: escaped(({ logUser }) => (logUser === '-' ? '' : logUser)),
  request: head('request'),
  request_id: octets(({ requestIdLines }) => valueAt(requestIdLines, 0)),
  request_length: plain(({ requestBytes }) => number(requestBytes)),
  request_method: head('request_method'),
  request_time: plain(({ requestTime }) => seconds(requestTime)),
  request_uri: head('request_uri'),
  scheme: client(({ secure }) => (secure ? 'https' : 'http')),
  server_addr: client(({ socket }) => socket.localAddress ?? ''),
  server_name: escaped(({ logServerName }) => logServerName),
  server_port: client(({ socket }) => number(socket.localPort)),
  server_protocol: head('server_protocol'),
  ssl_cipher: client(({ socket }) => socket.getCipher?.()?.name ?? ''),
  ssl_protocol: client(({ socket }) => socket.getProtocol?.() ?? ''),
  ssl_server_name: client(({ socket }) => socket.servername || '', true),
  status: plain(({ status }) => String(status)),
  time_iso8601: plain((_, time) => time),
  time_local: plain((_, time) => commonLogTime(time)),
  upstream_addr: plain(({ upstreamName, upstreamNames = upstreamName }) =>
    upstreamNames === '-' ? '' : upstreamNames,
  ),
  upstream_bytes_received: plain(({ upstreamBytes }) => number(upstreamBytes)),
  upstream_connect_time: plain(({ upstreamConnectTime }) => duration(upstreamConnectTime)),
  upstream_header_time: plain(({ upstreamHeaderTime }) => duration(upstreamHeaderTime)),
  upstream_response_time: plain(({ upstreamTime }) => duration(upstreamTime)),
  upstream_status: plain(({ upstreamStatus }) => number(upstreamStatus || undefined)),
  uri: head('uri'),
}

/** What is copied out of a head. */
type Slot =
  | { readonly kind: 'head'; readonly name: HeadVariable }
  | { readonly kind: 'request-field' | 'answer-field'; readonly name: string }

type Part =
  | { readonly kind: 'literal'; readonly octets: Buffer }
  | { readonly kind: 'slot'; readonly slot: number }
  | { readonly kind: 'text'; readonly index: number; readonly octets: boolean }
  | (Source & { readonly kind: 'record' })
  | { readonly kind: 'unknown' }

/** Null: the standard format holds, because there is no other, or none that can be written by. */
export function compileLogFormat(text: string | null): LogFormat | null {
  return text === null || text.trim() === standardLogFormat ? null : LogFormat.compile(text)
}

export class LogFormat {
  readonly #json: boolean
  readonly #parts: Part[] = []
  /** What is captured, each into the slot of its index. */
  readonly #slots: Slot[] = []
  readonly #texts: ((client: LogClient) => string)[] = []
  /** Octets for values when every one takes as few as it must have. */
  #reserved = 0
  #literals = 0

  /** Null: the text is none to write by. */
  static compile(text: string): LogFormat | null {
    const { escaping, parts } = parseLogFormat(text)
    if (parts.length === 0) return null
    const format = new LogFormat(escaping === 'json')
    for (const part of parts) {
      switch (part.kind) {
        case 'text':
          format.#literal(part.text)
          break
        case 'variable':
          format.#variable(sources[part.name])
          break
        case 'unknown':
          format.#value({ kind: 'unknown' })
          break
        default:
          format.#slot(part)
      }
    }
    return format
  }

  private constructor(json: boolean) {
    this.#json = json
  }

  #literal(text: string): void {
    const literal = Buffer.from(text)
    this.#literals += literal.length
    this.#parts.push({ kind: 'literal', octets: literal })
  }

  #variable(source: Source): void {
    if (source.kind === 'head') this.#slot(source)
    else if (source.kind === 'record') this.#value(source)
    else {
      this.#value({ kind: 'text', index: this.#texts.length, octets: source.octets })
      this.#texts.push(source.read)
    }
  }

  /** One slot for each thing, however often the line has it. */
  #slot(wanted: Slot): void {
    let slot = this.#slots.findIndex(({ kind, name }) => kind === wanted.kind && name === wanted.name)
    if (slot < 0) slot = this.#slots.push(wanted) - 1
    this.#value({ kind: 'slot', slot })
  }

  #value(part: Part): void {
    this.#reserved += reserveOf(part)
    this.#parts.push(part)
  }

  /** Copies what the line needs of the request and its connection, before the buffer is read into again. */
  capture(values: LogValues, request: RequestHead, buffer: Buffer, from: LogClient | null): void {
    values.clear(this.#slots.length)
    for (let slot = 0; slot < this.#slots.length; slot++) {
      const wanted = this.#slots[slot]!
      if (wanted.kind === 'head') addHeadPart(values, slot, wanted.name, request, buffer)
      else if (wanted.kind === 'request-field') addFields(values, slot, wanted.name, request.fields, buffer)
    }
    for (const read of this.#texts) values.texts.push(from === null ? '' : read(from))
  }

  /** The same for the head of the app's answer. */
  captureAnswer(values: LogValues, fields: Fields, buffer: Buffer): void {
    for (let slot = 0; slot < this.#slots.length; slot++) {
      const { kind, name } = this.#slots[slot]!
      if (kind === 'answer-field') addFields(values, slot, name, fields, buffer)
    }
  }

  /**
   * Writes one line to `target` from `at` on, where there is room for `maxLine`; returns the position behind it. `time`
   * is as in the standard format, brackets and all; without `values` nothing of the request was captured.
   */
  write(target: Buffer, at: number, time: string, record: LogRecord, values: LogValues | null): number {
    const iso = time.slice(1, -1)
    let position = at
    // What values may take in all beyond what is kept for them.
    let room = maxLine - 1 - this.#literals - this.#reserved
    for (const part of this.#parts) {
      if (part.kind === 'literal') {
        position += part.octets.copy(target, position)
        continue
      }
      const before = position
      const reserve = reserveOf(part)
      const limit = room + reserve
      switch (part.kind) {
        case 'unknown':
          target[position++] = HYPHEN
          break
        case 'slot':
          position =
            values === null
              ? this.#absent(target, position)
              : this.#octets(target, position, limit, values.buffer, values.start(part.slot), values.end(part.slot))
          break
        case 'text':
          position = this.#text(
            target,
            position,
            limit,
            values?.texts[part.index] ?? '',
            part.octets ? 'octets' : 'plain',
          )
          break
        case 'record':
          position = this.#text(target, position, limit, part.read(record, iso), part.form)
      }
      room -= Math.max(0, position - before - reserve)
    }
    target[position++] = LF
    return position
  }

  /** As nginx has it: a hyphen, or nothing in a JSON string. */
  #absent(target: Buffer, at: number): number {
    if (!this.#json) target[at] = HYPHEN
    return this.#json ? at : at + 1
  }

  #text(target: Buffer, at: number, limit: number, text: string, form: 'plain' | 'octets' | 'escaped'): number {
    if (text === '') return this.#absent(target, at)
    if (form === 'octets') {
      const sent = Buffer.from(text.slice(0, maxValue), 'latin1')
      return this.#octets(target, at, limit, sent, 0, sent.length)
    }
    if (form === 'escaped' && this.#json) {
      const sent = unescapeLog(text)
      return this.#octets(target, at, limit, sent, 0, sent.length)
    }
    if (text.length <= limit) return at + target.write(text, at, 'latin1')
    const whole = Buffer.from(text, 'latin1')
    return at + whole.copy(target, at, 0, wholeEscapes(whole, limit))
  }

  #octets(target: Buffer, at: number, limit: number, source: Buffer, start: number, end: number): number {
    if (start === end) return this.#absent(target, at)
    if (this.#json) return at + writeJson(target, at, limit, source.toString('utf8', start, end))
    // Four times as long at most; where that might not fit, it is tried aside.
    if ((end - start) * 4 <= limit) return copyEscaped(source, start, end, target, at)
    const aside = Buffer.allocUnsafe((end - start) * 4)
    const length = copyEscaped(source, start, end, aside, 0)
    const kept = wholeEscapes(aside, Math.min(length, limit))
    return kept === 0 ? this.#absent(target, at) : at + aside.copy(target, at, 0, kept)
  }
}

/** A client that fills the line shall not cut what the router says itself. */
function reserveOf({ kind }: Part): number {
  return kind === 'record' || kind === 'text' ? 64 : 1
}

/** A head that broke off leaves positions of an earlier request behind: only what is within this request line counts. */
function addHeadPart(values: LogValues, slot: number, name: HeadVariable, request: RequestHead, buffer: Buffer): void {
  const [start, end] = headRange(name, request, buffer)
  if (start >= request.methodStart && end <= request.lineEnd) values.add(slot, buffer, start, end, maxRequestLine)
}

function headRange(name: HeadVariable, request: RequestHead, buffer: Buffer): readonly [start: number, end: number] {
  const { methodStart, methodEnd, targetEnd, lineEnd, pathStart, pathEnd } = request
  switch (name) {
    case 'request':
      return [methodStart, lineEnd]
    case 'request_method':
      return [methodStart, methodEnd]
    case 'server_protocol':
      return [Math.min(targetEnd + 1, lineEnd), lineEnd]
    case 'request_uri':
      return [pathStart, pathEnd]
    default: {
      let question = pathStart
      while (question < pathEnd && buffer[question] !== QUESTION) question++
      const behind = Math.min(question + 1, pathEnd)
      if (name === 'uri') return [pathStart, question]
      return name === 'is_args' ? [question, behind] : [behind, pathEnd]
    }
  }
}

const comma = Buffer.from(', ')

/** The values of all fields with this name, in their order (RFC 9110 section 5.3). */
function addFields(values: LogValues, slot: number, name: string, fields: Fields, buffer: Buffer): void {
  for (let i = 0; i < fields.count; i++) {
    const start = fields.lineStart[i]!
    if (fields.nameEnd[i]! - start !== name.length || !equalsIgnoreCase(buffer, start, name)) continue
    if (values.end(slot) > values.start(slot)) values.add(slot, comma, 0, comma.length, maxValue)
    values.add(slot, buffer, fields.valueStart[i]!, fields.valueEnd[i]!, maxValue)
  }
}
