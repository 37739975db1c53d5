// Runs the rows of the contract suite. A row names the statement that it shows (`index.ts` lists them all), what the
// router is given, what a client sends and what has to come of it.

import type { TLSSocket } from 'node:tls'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fieldValues, type Head } from '#test/support/http-message.ts'
import { Http2Client } from '#test/support/http2-client.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import type { Peer, Response } from '#test/support/peer.ts'
import { type Given, nameOf, pairName } from './given.ts'
import { statements } from './index.ts'
import { type PortName, type Received, Stage, type StageOptions } from './stage.ts'

/** A request, and how it gets to the router. */
export interface Ask {
  readonly host?: string
  readonly method?: string
  readonly target?: string
  /** Field lines besides Host and User-Agent. */
  readonly fields?: readonly string[]
  readonly body?: string
  readonly version?: '1.0' | '1.1'
  /** These octets instead of all of the above; `UA` in it stands for what the log line is found by. */
  readonly bytes?: string
  /** Over TLS, with this server name; null: without one. */
  readonly tls?: string | null
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3'
  readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3'
  readonly alpn?: readonly string[]
  /** Where the client comes from; 127.0.0.1 unless told. */
  readonly from?: string
  /** Octets before all others, TLS included. */
  readonly first?: string | Uint8Array
  readonly port?: PortName
}

/** Each value of each field; null: the field is absent; a pattern: there is one, and it is like that. */
export type Fields = Readonly<Record<string, string | RegExp | readonly string[] | null>>

/** What has to come of it. What is not named does not matter. */
export interface Want {
  readonly status?: number
  readonly fields?: Fields
  readonly body?: string | RegExp
  /** Service that was asked, `NAMESPACE/NAME`; null: none. */
  readonly app?: string | null
  /** What that Service got. */
  readonly got?: {
    readonly line?: string | RegExp
    readonly fields?: Fields
    readonly body?: string
    readonly raw?: RegExp
  }
  /** Parts of the log line by their number in section 14; null: there is no line. */
  readonly log?: Readonly<Record<number, string | RegExp>> | null
  /** Name of the pair that the handshake showed, `self-signed` for the router's own. */
  readonly certificate?: string
  readonly alpn?: string | false
  /** Closed without an answer. */
  readonly closed?: true
  /** The handshake fails. */
  readonly refused?: true
  /** A Problem of the object `NAME` or `NAMESPACE/NAME` whose code and message are like that, or none of that object. */
  readonly problem?: { readonly of: string; readonly says: RegExp | null }
}

export interface Step {
  readonly change?: readonly Given[]
  /** `KIND/NAMESPACE/NAME` of what goes. */
  readonly gone?: readonly string[]
  readonly settings?: Readonly<Record<string, string>>
  readonly request?: Ask
  readonly expect?: Want
}

export interface Row extends Pick<Step, 'request' | 'expect'> {
  /** The id of the statement, a blank, and what this row is about. */
  readonly row: string
  readonly given?: readonly Given[]
  /** One after the other, in place of `request` and `expect`. */
  readonly steps?: readonly Step[]
  /** Where a request and what comes of it do not say it. */
  readonly run?: (stage: Stage) => Promise<void>
}

export interface Group {
  readonly name: string
  /** Of the router, without `router.deis.io/nginx.`. */
  readonly settings?: Readonly<Record<string, string>>
  readonly given?: readonly Given[]
  readonly rows: readonly Row[]
  /** Rows that wait for a time to pass, and so wait together. */
  readonly together?: boolean
}

const rowTimeout = 8_000
let asked = 0

/** Declares the tests of `groups`, which share one router process. */
export function contract(groups: readonly Group[], options: StageOptions = {}): void {
  failOnLeaks()
  let stage: Stage
  beforeAll(async () => {
    stage = await Stage.start(options)
  })
  afterAll(async () => {
    await stage?.[Symbol.asyncDispose]()
  })
  for (const group of groups) {
    describe(group.name, () => {
      const given = [...(group.given ?? []), ...group.rows.flatMap(row => row.given ?? [])]
      beforeAll(() => stage.set(group.settings ?? {}, given))
      checkDistinct(given)
      for (const row of group.rows) {
        checkId(row.row)
        const declare = group.together === true ? test.concurrent : test
        declare(row.row, () => runRow(stage, row, group), rowTimeout)
      }
    })
  }
}

function checkId(row: string): void {
  const id = row.slice(0, row.indexOf(' '))
  if (!Object.hasOwn(statements, id)) throw new Error(`no statement has the id ${JSON.stringify(id)}`)
}

function checkDistinct(given: readonly Given[]): void {
  const seen = new Set<string>()
  for (const one of given) {
    const { namespace, name } = nameOf(one)
    const key = `${one.kind}/${namespace}/${name}`
    if (seen.has(key)) throw new Error(`two rows of a group have a ${key}`)
    seen.add(key)
  }
}

async function runRow(stage: Stage, row: Row, { settings: own = {}, together = false }: Group): Promise<void> {
  // What a row before it changed, and perhaps failed over, is no matter of this one.
  if (!together && !isDeepStrictEqual(stage.currentSettings, own)) await stage.settings(own)
  try {
    await runSteps(stage, row)
  } finally {
    if (!together) await stage.hangUp()
  }
}

async function runSteps(stage: Stage, row: Row): Promise<void> {
  if (row.request !== undefined || row.expect !== undefined) await checkAsk(stage, row.request ?? {}, row.expect ?? {})
  for (const { change = [], gone = [], settings, request, expect: want } of row.steps ?? []) {
    if (settings !== undefined) await stage.settings(settings)
    if (change.length > 0 || gone.length > 0) await stage.change(change, gone)
    if (request !== undefined || want !== undefined) await checkAsk(stage, request ?? {}, want ?? {})
  }
  await row.run?.(stage)
}

/** The octets of a request. */
function octetsOf(ask: Ask, mark: string): string {
  if (ask.bytes !== undefined) return ask.bytes.replaceAll('UA', mark)
  const { method = 'GET', target = '/', version = '1.1', host, fields = [], body } = ask
  const lines = [
    `${method} ${target} HTTP/${version}`,
    ...(host === undefined ? [] : [`Host: ${host}`]),
    ...(fields.some(line => /^user-agent:/i.test(line)) ? [] : [`User-Agent: ${mark}`]),
    ...(body === undefined || fields.some(line => /^(content-length|transfer-encoding):/i.test(line))
      ? []
      : [`Content-Length: ${Buffer.byteLength(body)}`]),
    ...fields,
  ]
  return `${lines.join('\r\n')}\r\n\r\n${body ?? ''}`
}

/** Sends `ask` over a connection of its own and holds what comes of it against `want`. */
async function checkAsk(stage: Stage, ask: Ask, want: Want): Promise<Response | null> {
  const mark = `row-${++asked}-`
  if (ask.host === undefined && ask.bytes === undefined) {
    await checkProblem(stage, want)
    return null
  }
  const before = stage.received.length
  const way = {
    ...(ask.from !== undefined && { localAddress: ask.from }),
    ...(ask.first !== undefined && { first: ask.first }),
  }
  const opening = connect(stage, ask, way)
  if (want.refused === true) {
    await expect(opening).rejects.toThrow()
    return null
  }
  await using peer = await opening
  const actual: Record<string, unknown> = {}
  const wanted: Record<string, unknown> = {}
  if (want.certificate !== undefined || want.alpn !== undefined) {
    const socket = peer.socket as TLSSocket
    if (want.certificate !== undefined) {
      actual.certificate = pairName(socket)
      wanted.certificate = want.certificate
    }
    if (want.alpn !== undefined) {
      actual.alpn = socket.alpnProtocol
      wanted.alpn = want.alpn
    }
  }
  const overHttp2 = ask.tls !== undefined && (peer.socket as TLSSocket).alpnProtocol === 'h2'
  // Not waited for: who is refused early may never be read to the end.
  if (!overHttp2) void peer.send(octetsOf(ask, mark))
  let response: Response | null = null
  if (want.closed === true) {
    expect(await peer.ended().then(() => peer.queue.takeAll())).toHaveLength(0)
  } else {
    const { method = 'GET' } = ask
    response = overHttp2
      ? await http2Response(stage, ask, mark)
      : await peer.response(ask.bytes === undefined ? method : (ask.bytes.split(' ')[0] ?? ''))
    if (want.status !== undefined) {
      actual.status = response.status
      wanted.status = want.status
    }
    if (want.body !== undefined) {
      actual.body = response.body.toString('latin1')
      wanted.body = like(want.body)
    }
    compareFields(actual, wanted, 'field', response, want.fields)
  }
  const received = stage.received
    .slice(before)
    .filter(request => ask.bytes !== undefined || isMarked(request, ask, mark))
  if (want.app !== undefined) {
    actual.app = received.map(request => request.app)
    wanted.app = want.app === null ? [] : [want.app]
  }
  if (want.got !== undefined) {
    const request = received[0]
    actual.requests = received.length
    wanted.requests = 1
    if (request !== undefined) compareReceived(actual, wanted, request, want.got)
  }
  expect(actual).toEqual(wanted)
  if (want.log !== undefined) await checkLog(stage, ask, mark, want.log)
  await checkProblem(stage, want)
  return response
}

/** The answer to `request`, over a connection of its own. */
export async function ask(stage: Stage, request: Ask): Promise<Response> {
  const response = await checkAsk(stage, request, {})
  if (response === null) throw new Error('nothing was asked')
  return response
}

/** The answer to `ask` over HTTP/2, on another connection. */
async function http2Response(stage: Stage, ask: Ask, mark: string): Promise<Response> {
  const { method = 'GET', target = '/', host = '', fields = [], body } = ask
  await using client = await Http2Client.tls(stage.port('https'), ask.tls ?? '', stage.address)
  const lines = fields.map(line => line.split(/: ?/, 2) as [string, string])
  const answer = await client.exchange(
    { ':method': method, ':path': target, ':authority': host, 'user-agent': mark, ...Object.fromEntries(lines) },
    body,
  )
  const received = Object.entries(answer.fields).flatMap(([name, value]) =>
    [value ?? []].flat().map(one => ({ name, value: String(one) })),
  )
  const octets = Buffer.from(answer.body, 'latin1')
  const line = `HTTP/2.0 ${answer.status}`
  return { status: answer.status, line, fields: received, raw: '', body: octets, rawBody: octets, trailers: [] }
}

function isMarked(request: Received, ask: Ask, mark: string): boolean {
  return (ask.fields ?? []).some(line => /^user-agent:/i.test(line)) || fieldValues(request, 'user-agent')[0] === mark
}

function connect(stage: Stage, ask: Ask, way: { localAddress?: string; first?: string | Uint8Array }): Promise<Peer> {
  if (ask.tls === undefined) return stage.connect(ask.port ?? 'http', way)
  return stage.connectTls(
    {
      servername: ask.tls ?? '',
      ...(ask.alpn !== undefined && { ALPNProtocols: [...ask.alpn] }),
      ...(ask.minVersion !== undefined && { minVersion: ask.minVersion }),
      ...(ask.maxVersion !== undefined && { maxVersion: ask.maxVersion }),
    },
    way,
  )
}

function like(want: string | RegExp): unknown {
  return typeof want === 'string' ? want : expect.stringMatching(want)
}

function compareFields(
  actual: Record<string, unknown>,
  wanted: Record<string, unknown>,
  what: string,
  head: Pick<Head, 'fields'>,
  fields: Fields = {},
): void {
  for (const [name, want] of Object.entries(fields)) {
    actual[`${what} ${name}`] = fieldValues(head, name)
    wanted[`${what} ${name}`] =
      want === null ? [] : typeof want === 'string' || want instanceof RegExp ? [like(want)] : [...want]
  }
}

function compareReceived(
  actual: Record<string, unknown>,
  wanted: Record<string, unknown>,
  request: Received,
  got: NonNullable<Want['got']>,
): void {
  if (got.line !== undefined) {
    actual['request line'] = request.line
    wanted['request line'] = like(got.line)
  }
  if (got.body !== undefined) {
    actual['request body'] = request.body.toString('latin1')
    wanted['request body'] = got.body
  }
  if (got.raw !== undefined) {
    actual['request head'] = request.raw
    wanted['request head'] = like(got.raw)
  }
  compareFields(actual, wanted, 'request field', request, got.fields)
}

async function checkLog(stage: Stage, ask: Ask, mark: string, log: NonNullable<Want['log']> | null): Promise<void> {
  if (log === null) {
    // Lines of one thread are in order, so that one of a later request tells that none of this one comes any more.
    await checkAsk(
      stage,
      { host: 'later.invalid', target: '/later', ...(ask.first !== undefined && { first: ask.first }) },
      { log: {} },
    )
    expect(stage.process.accessLog.filter(line => line.includes(`"${mark}"`))).toEqual([])
    return
  }
  const line = await stage.logLine(`"${mark}"`)
  const parts = line.split(' - ')
  const actual: Record<number, unknown> = {}
  const wanted: Record<number, unknown> = {}
  for (const [number, want] of Object.entries(log)) {
    actual[Number(number)] = parts[Number(number)]
    wanted[Number(number)] = like(want)
  }
  expect({ ...actual, parts: parts.length }).toEqual({ ...wanted, parts: 14 })
}

async function checkProblem(stage: Stage, { problem }: Want): Promise<void> {
  if (problem === undefined) return
  const problems = await stage.problems()
  const own = problems
    .filter(({ object }) => problem.of === object.name || problem.of === `${object.namespace}/${object.name}`)
    .map(({ code, severity, message }) => `${severity} ${code} ${message}`)
  if (problem.says === null) expect(own).toEqual([])
  else expect(own).toContainEqual(expect.stringMatching(problem.says))
}
