// Heads as they leave us: against rows of the contract, and by a round trip through node:http, which reads what we
// wrote and must find the fields that are for the app (or the client) and none that were for us.

import { once } from 'node:events'
import { createServer as createHttpServer, request as httpRequest, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { headSlack, remakes, replaces, writeInterimHead, writeRequestHead, writeResponseHead } from './head-writer.ts'
import { hostNameOf } from './request-facts.ts'
import { RequestHead } from './request-head.ts'
import { ResponseHead } from './response-head.ts'
import {
  type Field,
  type ModelRequest,
  payloadOf,
  seed,
  settings,
  validRequest,
  writeBody,
  writeFields,
  writeRequest,
} from './testdata/arbitrary-request.ts'
import { usualLimits } from './testdata/request-summary.ts'

const forwarded = Buffer.from('X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Port: 80\r\n')

/** The head that the endpoint gets for the request in `text`, as text. */
function rewriteRequest(text: string, replaced: number = replaces.nothing, lines = ''): string {
  const source = Buffer.from(text, 'latin1')
  const head = new RequestHead()
  head.reset()
  const after = head.parse(source, 0, source.length, usualLimits)
  if (after <= 0) throw new Error(`not taken: ${after} ${head.error}`)
  const target = Buffer.alloc(10 + after + forwarded.length + lines.length + headSlack, '.')
  const end = writeRequestHead(head, source, target, 10, hostNameOf(head, source), forwarded, lines, replaced)
  expect(target.toString('latin1', end)).toMatch(/^\.*$/)
  return target.toString('latin1', 10, end)
}

const H = 'Host: a.example\r\n'
const F = forwarded.toString()

describe('request heads (contract section 11)', () => {
  const rows: readonly (readonly [name: string, request: string, want: string, replaced?: number, lines?: string])[] = [
    ['the shortest', `GET / HTTP/1.1\r\n${H}\r\n`, `GET / HTTP/1.1\r\n${H}${F}\r\n`],
    [
      'target octet for octet',
      `GET //a/%2F/..?x=%20 HTTP/1.1\r\n${H}\r\n`,
      `GET //a/%2F/..?x=%20 HTTP/1.1\r\n${H}${F}\r\n`,
    ],
    [
      'Host in lower case, without port, first',
      'GET / HTTP/1.1\r\nX: y\r\nHOST: A.Example:8080\r\n\r\n',
      `GET / HTTP/1.1\r\n${H}X: y\r\n${F}\r\n`,
    ],
    ['HTTP/1.0 becomes HTTP/1.1', `GET / HTTP/1.0\r\n${H}\r\n`, `GET / HTTP/1.1\r\n${H}${F}\r\n`],
    ['HTTP/1.0 without Host', 'GET / HTTP/1.0\r\n\r\n', `GET / HTTP/1.1\r\nHost: \r\n${F}\r\n`],
    ['leading empty lines', `\r\n\r\nGET / HTTP/1.1\r\n${H}\r\n`, `GET / HTTP/1.1\r\n${H}${F}\r\n`],
    ['absolute target', `GET http://a.example:80/x?y HTTP/1.1\r\n${H}\r\n`, `GET /x?y HTTP/1.1\r\n${H}${F}\r\n`],
    ['absolute target without path', `GET http://a.example HTTP/1.1\r\n${H}\r\n`, `GET / HTTP/1.1\r\n${H}${F}\r\n`],
    [
      'absolute target with query only',
      `GET http://a.example?y HTTP/1.1\r\n${H}\r\n`,
      `GET /?y HTTP/1.1\r\n${H}${F}\r\n`,
    ],
    [
      'RFC 9112 section 3.2.4: OPTIONS of a whole server',
      `OPTIONS http://a.example HTTP/1.1\r\n${H}\r\n`,
      `OPTIONS * HTTP/1.1\r\n${H}${F}\r\n`,
    ],
    ['OPTIONS of the root', `OPTIONS http://a.example/ HTTP/1.1\r\n${H}\r\n`, `OPTIONS / HTTP/1.1\r\n${H}${F}\r\n`],
    [
      'OPTIONS with query only',
      `OPTIONS http://a.example?y HTTP/1.1\r\n${H}\r\n`,
      `OPTIONS /?y HTTP/1.1\r\n${H}${F}\r\n`,
    ],
    ['OPTIONS *', `OPTIONS * HTTP/1.1\r\n${H}\r\n`, `OPTIONS * HTTP/1.1\r\n${H}${F}\r\n`],
    [
      'fields cross octet for octet and in order',
      `GET / HTTP/1.1\r\nb:  1\t\r\n${H}A:\r\nb:2 \r\nX-Real-IP: 192.0.2.7\r\nForwarded: for=x\r\n\r\n`,
      `GET / HTTP/1.1\r\n${H}b:  1\t\r\nA:\r\nb:2 \r\nX-Real-IP: 192.0.2.7\r\nForwarded: for=x\r\n${F}\r\n`,
    ],
    [
      'what we set replaces what the client sent',
      `GET / HTTP/1.1\r\n${H}X-Forwarded-For: 198.51.100.1\r\nX: y\r\nX-Forwarded-Proto: https\r\nx-forwarded-port: 1\r\nX-Forwarded-For: 198.51.100.2\r\n\r\n`,
      `GET / HTTP/1.1\r\n${H}X: y\r\n${F}\r\n`,
    ],
    [
      'hop-by-hop fields stay here',
      `GET / HTTP/1.1\r\n${H}Connection: keep-alive, x-a\r\nKeep-Alive: 5\r\nProxy-Connection: close\r\nTE: trailers\r\nX-A: 1\r\nUpgrade: foo\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nEarly-Data: 1\r\nX: y\r\n\r\n`,
      `GET / HTTP/1.1\r\n${H}X: y\r\n${F}\r\n`,
    ],
    [
      'names with underscores stay here',
      `GET / HTTP/1.1\r\n${H}X_A: 1\r\nX: y\r\nX-Accel_A: 2\r\n\r\n`,
      `GET / HTTP/1.1\r\n${H}X: y\r\n${F}\r\n`,
    ],
    [
      'Content-Length crosses',
      `POST / HTTP/1.1\r\n${H}Content-Length: 5\r\n\r\n`,
      `POST / HTTP/1.1\r\n${H}Content-Length: 5\r\n${F}\r\n`,
    ],
    [
      'Content-Length crosses whatever Connection says',
      `POST / HTTP/1.1\r\nConnection: content-length\r\n${H}Content-Length: 5\r\n\r\n`,
      `POST / HTTP/1.1\r\n${H}Content-Length: 5\r\n${F}\r\n`,
    ],
    [
      'Transfer-Encoding is written anew',
      `POST / HTTP/1.1\r\ntransfer-encoding:CHUNKED\r\n${H}\r\n`,
      `POST / HTTP/1.1\r\n${H}${F}Transfer-Encoding: chunked\r\n\r\n`,
    ],
    [
      'Expect: 100-continue is answered here',
      `POST / HTTP/1.1\r\n${H}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`,
      `POST / HTTP/1.1\r\n${H}Content-Length: 5\r\n${F}\r\n`,
    ],
    [
      'an upgrade',
      `GET / HTTP/1.1\r\n${H}Connection: Upgrade\r\nUpgrade:  websocket \r\nX: y\r\n\r\n`,
      `GET / HTTP/1.1\r\n${H}X: y\r\n${F}Connection: upgrade\r\nUpgrade: websocket\r\n\r\n`,
    ],
    [
      'an upgrade to h2c',
      `GET / HTTP/1.1\r\n${H}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n`,
      `GET / HTTP/1.1\r\n${H}${F}\r\n`,
    ],
    [
      'ids and start that the client sent, when we set none',
      `GET / HTTP/1.1\r\n${H}X-Request-Id: 1\r\nX-Correlation-Id: 2\r\nX-Request-Start: t=3\r\n\r\n`,
      `GET / HTTP/1.1\r\n${H}X-Request-Id: 1\r\nX-Correlation-Id: 2\r\nX-Request-Start: t=3\r\n${F}\r\n`,
    ],
    [
      'ids and start that the client sent, when we set them all',
      `GET / HTTP/1.1\r\n${H}X-Request-Id: 1\r\nX-Correlation-Id: 2\r\nX-Request-Start: t=3\r\nX: y\r\n\r\n`,
      `GET / HTTP/1.1\r\n${H}X: y\r\n${F}X-Request-Id: a\r\n\r\n`,
      replaces.requestIds + replaces.requestStart,
      'X-Request-Id: a\r\n',
    ],
    [
      'ids that the client sent, when we set those only',
      `GET / HTTP/1.1\r\n${H}X-Request-Id: 1\r\nX-Correlation-Id: 2\r\nX-Request-Start: t=3\r\n\r\n`,
      `GET / HTTP/1.1\r\n${H}X-Request-Start: t=3\r\n${F}\r\n`,
      replaces.requestIds,
    ],
    [
      'start that the client sent, when we set that only',
      `GET / HTTP/1.1\r\n${H}X-Request-Id: 1\r\nX-Correlation-Id: 2\r\nX-Request-Start: t=3\r\n\r\n`,
      `GET / HTTP/1.1\r\n${H}X-Request-Id: 1\r\nX-Correlation-Id: 2\r\n${F}\r\n`,
      replaces.requestStart,
    ],
  ]
  for (const [name, request, want, replaced, lines] of rows) {
    test(name, () => expect(rewriteRequest(request, replaced, lines)).toBe(want))
  }
})

/** The head that the client gets for the response in `text`, as text. */
function rewriteResponse(text: string, lines = '', remade: number = remakes.nothing): string {
  const source = Buffer.from(text, 'latin1')
  const head = new ResponseHead()
  head.reset()
  const after = head.parse(source, 0, source.length, 64 * 1024)
  if (after <= 0) throw new Error(`not taken: ${after}`)
  const target = Buffer.alloc(after + serverAndDate.length + lines.length + headSlack)
  const end = writeResponseHead(head, source, target, 0, serverAndDate, lines, remade)
  return target.toString('latin1', 0, end)
}

const serverAndDate = Buffer.from('Server: deis-router\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n')
const S = serverAndDate.toString()

describe('response heads (contract section 12)', () => {
  const rows: readonly (readonly [name: string, response: string, want: string, lines?: string, remade?: number])[] = [
    ['the shortest', 'HTTP/1.1 200\r\n\r\n', `HTTP/1.1 200 \r\n${S}\r\n`],
    ['status and reason', 'HTTP/1.1 404 Nothing  here \r\n\r\n', `HTTP/1.1 404 Nothing  here \r\n${S}\r\n`],
    ['HTTP/1.0 becomes HTTP/1.1', 'HTTP/1.0 200 OK\r\n\r\n', `HTTP/1.1 200 OK\r\n${S}\r\n`],
    ['Server and Date are ours', 'HTTP/1.1 200 OK\r\nserver: x\r\nDATE: y\r\n\r\n', `HTTP/1.1 200 OK\r\n${S}\r\n`],
    [
      'X-Accel-* is consumed',
      'HTTP/1.1 200 OK\r\nX-Accel-Redirect: /x\r\nA: b\r\nx-accel-buffering: no\r\n\r\n',
      `HTTP/1.1 200 OK\r\n${S}A: b\r\n\r\n`,
    ],
    [
      'hop-by-hop fields stay here',
      'HTTP/1.1 200 OK\r\nConnection: close, x-a\r\nKeep-Alive: timeout=5\r\nProxy-Connection: x\r\nTransfer-Encoding: chunked\r\nUpgrade: x\r\nX-A: 1\r\nTE: x\r\nA: b\r\n\r\n',
      `HTTP/1.1 200 OK\r\n${S}A: b\r\n\r\n`,
    ],
    [
      'others cross octet for octet and in order, repeated ones too',
      'HTTP/1.1 200 OK\r\nSet-Cookie:a\r\nset_under: 1\r\nContent-Length: 5\r\nSet-Cookie: \tb \r\nLocation: http://x:8080/\r\nHost: y\r\nUser-Agent: z\r\n\r\n',
      `HTTP/1.1 200 OK\r\n${S}Set-Cookie:a\r\nset_under: 1\r\nContent-Length: 5\r\nSet-Cookie: \tb \r\nLocation: http://x:8080/\r\nHost: y\r\nUser-Agent: z\r\n\r\n`,
    ],
    [
      'our lines come last',
      'HTTP/1.1 200 OK\r\nA: b\r\n\r\n',
      `HTTP/1.1 200 OK\r\n${S}A: b\r\nConnection: close\r\n\r\n`,
      'Connection: close\r\n',
    ],
    [
      'ids of the app, when we set none',
      'HTTP/1.1 200 OK\r\nX-Request-Id: 1\r\nX-Correlation-Id: 2\r\n\r\n',
      `HTTP/1.1 200 OK\r\n${S}X-Request-Id: 1\r\nX-Correlation-Id: 2\r\n\r\n`,
    ],
    [
      'ids of the app, when we set ours',
      'HTTP/1.1 200 OK\r\nX-Request-Id: 1\r\nA: b\r\nX-Correlation-Id: 2\r\n\r\n',
      `HTTP/1.1 200 OK\r\n${S}A: b\r\nX-Request-Id: 3\r\n\r\n`,
      'X-Request-Id: 3\r\n',
      remakes.requestIds,
    ],
    [
      'what does not hold of a compressed answer',
      'HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 5\r\nETag: "x"\r\nAccept-Ranges: bytes\r\nContent-MD5: x\r\nDigest: x\r\nContent-Digest: x\r\nContent-Type: text/html\r\nVary: Cookie\r\n\r\n',
      `HTTP/1.1 200 OK\r\n${S}A: b\r\nContent-Type: text/html\r\nVary: Cookie\r\nContent-Encoding: gzip\r\n\r\n`,
      'Content-Encoding: gzip\r\n',
      remakes.coding,
    ],
    ['status 599', 'HTTP/1.1 599 \r\n\r\n', `HTTP/1.1 599 \r\n${S}\r\n`],
  ]
  for (const [name, response, want, lines, remade] of rows) {
    test(name, () => expect(rewriteResponse(response, lines, remade)).toBe(want))
  }

  test('an interim head gets nothing of ours', () => {
    const source = Buffer.from('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: x\r\n\r\n')
    const head = new ResponseHead()
    head.reset()
    head.parse(source, 0, source.length, 1024)
    const target = Buffer.alloc(source.length + headSlack)
    const end = writeInterimHead(head, source, target, 0)
    expect(target.toString('latin1', 0, end)).toBe('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n')
  })
})

// ------------------------------------------------------------------------------------------------- the round trip

const neverToApps = new Set([
  ...['host', 'connection', 'keep-alive', 'proxy-connection', 'te', 'upgrade', 'http2-settings', 'transfer-encoding'],
  ...['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-port', 'early-data'],
])
const neverToClients = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'te', 'upgrade', 'http2-settings', 'transfer-encoding'],
  ...['server', 'date', 'content-length'],
])
/** Those that a Connection field may name without effect. */
const protectedNames = new Set(['host', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-port'])

function nominatedBy(fields: readonly Field[]): Set<string> {
  const values = fields.filter(([name]) => name.toLowerCase() === 'connection').map(([, value]) => value)
  const names = values.join().split(',')
  return new Set(names.map(name => name.trim().toLowerCase()).filter(name => !protectedNames.has(name)))
}

/** Written down apart from the code: which of the client's fields an app shall see. */
function forApp({ fields }: ModelRequest): readonly Field[] {
  const nominated = nominatedBy(fields)
  return fields.filter(([name]) => {
    const lower = name.toLowerCase()
    return !neverToApps.has(lower) && !nominated.has(lower) && !lower.includes('_')
  })
}

function pairs(raw: readonly string[]): Field[] {
  return Array.from({ length: raw.length / 2 }, (_, i) => [raw[2 * i]!, raw[2 * i + 1]!])
}

interface Seen {
  readonly line: string
  readonly fields: readonly Field[]
  readonly payload: string
}

async function see(message: IncomingMessage, line: string): Promise<Seen> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk)
  return { line, fields: pairs(message.rawHeaders), payload: Buffer.concat(chunks).toString('latin1') }
}

const app = createHttpServer()
/** Sends what the test has put here to the next connection. */
const origin = createServer({ allowHalfOpen: true })
const portOf = (server: { address(): unknown }): number => (server.address() as AddressInfo).port

beforeAll(async () => {
  app.listen(0, '127.0.0.1')
  origin.listen(0, '127.0.0.1')
  await Promise.all([once(app, 'listening'), once(origin, 'listening')])
})

afterAll(() => {
  app.closeAllConnections()
  app.close()
  origin.close()
})

test(`a request that we pass on is to node:http what it was, less what was for us (seed ${seed})`, async () => {
  await fc.assert(
    fc.asyncProperty(validRequest, async model => {
      const rewritten = rewriteRequest(writeRequest(model))
      const requested = once(app, 'request')
      const client = connect(portOf(app), '127.0.0.1')
      client.resume()
      client.write(Buffer.from(rewritten + writeBody(model.body), 'latin1'))
      const [message] = (await requested) as [IncomingMessage]
      const seen = await see(message, `${message.method} ${message.url} HTTP/${message.httpVersion}`)
      client.destroy()
      const { method, target, body, fields } = model
      expect(seen.line).toBe(`${method} ${target.replace(/^http:\/\/[^/]*/, '')} HTTP/1.1`)
      expect(seen.payload).toBe(payloadOf(body))
      const upgrade = fields.find(([name, value]) => name === 'Upgrade' && value !== 'h2c')
      const host = fields.find(([name]) => name === 'Host')![1].toLowerCase()
      const ours: Field[] = [...pairs(F.trimEnd().split(/: |\r\n/))]
      if (body.kind === 'chunked') ours.push(['Transfer-Encoding', 'chunked'])
      if (upgrade !== undefined && model.version === 'HTTP/1.1')
        ours.push(['Connection', 'upgrade'], ['Upgrade', upgrade[1]])
      const length: Field[] = body.kind === 'length' ? [['Content-Length', String(body.data.length)]] : []
      expect(seen.fields).toEqual([
        ['Host', host.replace(/:[0-9]+$/, '').replace(/\.$/, '')],
        ...forApp(model),
        ...length,
        ...ours,
      ])
    }),
    settings(400),
  )
})

const responseModel = fc.record({
  status: fc.constantFrom(200, 201, 301, 404, 500, 503),
  version: fc.constantFrom('HTTP/1.0', 'HTTP/1.1'),
  reason: fc.constantFrom('', 'OK', 'Not  Found'),
  fields: validRequest.map(({ fields }) => fields.filter(([name]) => name !== 'Host' && name !== 'Upgrade')),
  payload: fc.string({ unit: fc.constantFrom(...'abc\r\n\x00\xff'), maxLength: 30 }),
})

test(`a response that we pass on is to node:http what it was, less what was for us (seed ${seed})`, async () => {
  await fc.assert(
    fc.asyncProperty(responseModel, async ({ status, version, reason, fields, payload }) => {
      const length = `Content-Length: ${payload.length}\r\n`
      const head = rewriteResponse(
        `${version} ${status} ${reason}\r\n${writeFields(fields)}${length}\r\n`,
        'Connection: close\r\n',
      )
      const accepted = once(origin, 'connection')
      const request = httpRequest({ port: portOf(origin), host: '127.0.0.1', agent: false })
      const responded = once(request, 'response')
      request.end()
      const [socket] = (await accepted) as [Socket]
      socket.resume()
      socket.end(Buffer.from(head + payload, 'latin1'))
      const [message] = (await responded) as [IncomingMessage]
      const seen = await see(message, `${message.statusCode} ${message.statusMessage}`)
      expect(seen.line).toBe(`${status} ${reason}`)
      expect(seen.payload).toBe(payload)
      const nominated = nominatedBy(fields)
      const kept = fields.filter(([name]) => {
        const lower = name.toLowerCase()
        return !neverToClients.has(lower) && !nominated.has(lower) && !lower.startsWith('x-accel-')
      })
      expect(seen.fields).toEqual([
        ...pairs(S.trimEnd().split(/: |\r\n/)),
        ...kept,
        ['Content-Length', String(payload.length)],
        ['Connection', 'close'],
      ])
    }),
    settings(300),
  )
})
