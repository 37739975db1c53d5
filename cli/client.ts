// Calls of the controller's API, as the original client makes them: its paths, its headers, its check of versions.

import type { IncomingMessage } from 'node:http'
import { version } from '#kit/version.ts'
import { answerFault } from './api-error.ts'
import { apiVersion } from './api-version.ts'
import type { ControllerUrl } from './controller-url.ts'
import { Fault } from './fault.ts'
import { secretless } from './secretless.ts'
import type { Environment } from './surroundings.ts'
import { ConnectionError, send } from './transport.ts'
import { hintAtRepeating, unreachable } from './unreachable.ts'

const userAgent = `Deis Client v${version}`

/** Milliseconds until there is a connection. */
const connectPatience = 15_000
/** Of an answer, octets: the log of an app may be long, but not endless. */
const mostOctets = 64 * 1024 * 1024

/** Of what an answer warns of, characters. */
const mostWarning = 2000

export interface ClientOptions {
  readonly controller: ControllerUrl
  /** Null: nobody is logged in. */
  readonly token: string | null
  readonly sslVerify: boolean
  readonly env: Environment
  readonly signal: AbortSignal
  /** A line on stderr. */
  warn(line: string): void
  /** The same, once the command has ended: what was done, but not as one would think. */
  notice(line: string): void
  /** A line of `--debug`, without secrets. */
  trace(line: string): void
}

export interface Answer {
  readonly status: number
  readonly text: string
  /** Of the API; empty when the header is missing. */
  readonly version: string
  readonly warnings: readonly string[]
}

export interface Page<T> {
  readonly count: number
  readonly results: readonly T[]
}

export type Json = Readonly<Record<string, unknown>>

export interface CallOptions {
  /** For what may not take long; the default is no limit. */
  readonly timeout?: number
  /** Without the token. */
  readonly anonymous?: boolean
}

export class Client {
  readonly controller: ControllerUrl
  readonly #options: ClientOptions
  #hasWarned = false

  constructor(options: ClientOptions) {
    this.controller = options.controller
    this.#options = options
  }

  /** `path` follows `/v2`. Throws a Fault unless the answer is a success with an object. */
  async get<T = Json>(path: string, options?: CallOptions): Promise<T> {
    return object(await this.call('GET', path, undefined, options)) as T
  }

  /** Throws a Fault unless the answer is a success with an object. No `body`: none is sent. */
  async post<T = Json>(path: string, body?: unknown): Promise<T> {
    return object(await this.call('POST', path, body)) as T
  }

  /** At most `limit` of a collection; with 0 all of it, page by page. */
  async page<T = Json>(path: string, limit: number, options?: CallOptions): Promise<Page<T>> {
    const ask = async (query: string): Promise<Page<T>> =>
      page(await this.call('GET', `${path}?${query}`, undefined, options))
    const first = await ask(`limit=${limit}`)
    if (limit !== 0) return first
    const results = [...first.results]
    while (results.length < first.count) {
      const next = await ask(`limit=${first.results.length}&offset=${results.length}`)
      if (next.results.length === 0) break
      results.push(...next.results)
    }
    return { ...first, results }
  }

  /** Throws a Fault unless the answer is a success. Its body is whatever it is. */
  async call(method: string, path: string, body?: unknown, options: CallOptions = {}): Promise<Answer> {
    const answer = await this.ask(method, `/v2${path}`, body, options)
    if (answer.status < 200 || answer.status >= 300) throw answerFault(answer.status, answer.text)
    this.#compareVersions(answer.version)
    for (const warning of answer.warnings) this.#options.notice(`!    WARNING: ${warning}`)
    return answer
  }

  /** As `call`, from the root of the controller, and with any answer. */
  async ask(method: string, path: string, body?: unknown, options: CallOptions = {}): Promise<Answer> {
    const signal = options.timeout === undefined ? undefined : AbortSignal.timeout(options.timeout)
    const message = await this.#send(method, path, body, { ...options, gzip: true, signal })
    let text: string
    try {
      text = await textOf(message)
    } catch (error) {
      throw this.#broken(error, method)
    }
    this.#options.trace(`${message.statusCode} ${method} ${path}, ${text.length} characters`)
    return { status: message.statusCode ?? 0, text, version: versionOf(message), warnings: warningsOf(message) }
  }

  /** The body as it comes, until either side ends it. Throws a Fault unless the answer is a success. */
  async stream(path: string, each: (text: string) => void): Promise<void> {
    const message = await this.#send('GET', `/v2${path}`, undefined, { gzip: false })
    const { statusCode = 0 } = message
    if (statusCode < 200 || statusCode >= 300) throw answerFault(statusCode, await textOf(message))
    this.#compareVersions(versionOf(message))
    message.setEncoding('utf8')
    try {
      for await (const text of message) each(text as string)
    } catch (error) {
      if (!this.#options.signal.aborted) throw this.#broken(error, 'GET')
    }
  }

  /** Before a login: whether there is a controller at all. */
  async checkConnection(): Promise<void> {
    const { href } = this.controller
    const text =
      `${href} does not appear to be a valid Deis controller.\n` +
      'Make sure that the Controller URI is correct, the server is running and\nyour client version is correct.'
    let answer: Answer
    try {
      answer = await this.ask('GET', '/v2/', undefined, { anonymous: true })
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      throw new Fault(text, { cause: error, hints: [error.message, ...error.hints] })
    }
    if (answer.status !== 401)
      throw new Fault(text, { hints: [`It answered ${answer.status} to GET /v2/, and a controller answers 401.`] })
    this.#compareVersions(answer.version)
  }

  async #send(
    method: string,
    path: string,
    body: unknown,
    {
      anonymous = false,
      gzip,
      signal,
    }: CallOptions & { readonly gzip: boolean; readonly signal?: AbortSignal | undefined },
  ): Promise<IncomingMessage> {
    const { controller, token, env, sslVerify, trace } = this.#options
    const headers = {
      'user-agent': userAgent,
      ...(token === null || token === '' || anonymous ? {} : { authorization: `token ${token}` }),
      'content-type': 'application/json',
      ...(gzip ? { 'accept-encoding': 'gzip' } : {}),
    }
    trace(`${method} ${controller.scheme}://${controller.host}${controller.path}${path}`)
    trace(`  ${JSON.stringify({ ...headers, ...('authorization' in headers ? { authorization: 'token ***' } : {}) })}`)
    if (body !== undefined) trace(`  ${JSON.stringify(secretless(body))}`)
    const outgoing = {
      ...{ scheme: controller.scheme, hostname: controller.hostname, port: controller.port },
      ...{ method, path: `${controller.path}${path}`, headers, body: body === undefined ? null : JSON.stringify(body) },
    }
    const signals = signal === undefined ? this.#options.signal : AbortSignal.any([this.#options.signal, signal])
    try {
      return await send(outgoing, { env, sslVerify, signal: signals, patience: connectPatience })
    } catch (error) {
      if (error instanceof ConnectionError) throw unreachable(this.controller, error, method)
      throw error
    }
  }

  #broken(error: unknown, method: string): Fault {
    const reason = error instanceof Error ? error.message : String(error)
    return new Fault(`The answer of ${this.controller.href} broke off: ${reason}`, {
      cause: error,
      hints: [hintAtRepeating(method)],
    })
  }

  #compareVersions(server: string): void {
    if (this.#hasWarned || suits(server)) return
    this.#hasWarned = true
    this.#options.warn('!    WARNING: Client and server API versions do not match. Please consider upgrading.')
    this.#options.warn(`!    Client version: ${apiVersion}`)
    this.#options.warn(`!    Server version: ${server}`)
  }
}

/** Same major, and a minor that is not older, compared as text. */
export function suits(server: string): boolean {
  const [major, minor] = apiVersion.split('.') as [string, string]
  const parts = server.split('.')
  return parts.length >= 2 && parts[0] === major && parts[1]! >= minor
}

function versionOf({ headers }: IncomingMessage): string {
  return String(headers.deis_api_version ?? '')
}

/** `299 - "text"`, and more of them after commas (RFC 7234, section 5.5). */
function warningsOf({ headers }: IncomingMessage): string[] {
  const said = String(headers.warning ?? '').slice(0, mostWarning)
  return [...said.matchAll(/\b\d{3} \S+ "((?:[^"\\]|\\.)*)"/g)].map(([, text]) => text!.replace(/\\(.)/g, '$1'))
}

async function textOf(message: IncomingMessage): Promise<string> {
  const body = message.headers['content-encoding'] === 'gzip' ? await unpacked(message) : message
  const parts: Buffer[] = []
  let octets = 0
  for await (const part of body) {
    octets += part.length
    if (octets > mostOctets) throw new Error(`it is longer than ${mostOctets} octets`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString()
}

async function unpacked(message: IncomingMessage): Promise<AsyncIterable<Buffer>> {
  const [{ createGunzip }, { pipeline }] = await Promise.all([import('node:zlib'), import('node:stream')])
  const body = createGunzip()
  // When the connection breaks, or has broken meanwhile, the unpacker would wait for more.
  pipeline(message, body, () => {})
  return body
}

export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function object({ text }: Answer): Json {
  const value = jsonOf(text)
  if (typeof value === 'object' && value !== null) return value as Json
  throw strange(text)
}

function page<T>({ text }: Answer): Page<T> {
  const value = jsonOf(text) as { count?: unknown; results?: unknown } | undefined
  if (typeof value?.count === 'number' && Array.isArray(value.results)) return value as Page<T>
  throw strange(text)
}

function strange(text: string): Fault {
  return new Fault('The answer is not that of a Deis controller', {
    hints: [`It begins with ${JSON.stringify(text.slice(0, 80))}. Is a proxy in between?`],
  })
}

/** A part of a path, escaped as the original client does it: `*.example.com` is `%2A.example.com`. */
export function segment(text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()*]/g, letter => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`)
    .replace(/%(?:24|26|2B|2C|3A|3B|3D|40)/g, decodeURIComponent)
}
