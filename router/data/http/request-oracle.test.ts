// The parser beside llhttp, which reads for `node:http`: what ours takes, theirs must read as the same requests, with
// the same boundaries. That is what keeps requests from being smuggled past us to an app. Theirs may take more.

import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Body } from './body.ts'
import { RequestHead } from './request-head.ts'
import { requestStream, seed, settings, validRequest, writeRequest } from './testdata/arbitrary-request.ts'
import { usualLimits } from './testdata/request-summary.ts'

interface Read {
  readonly method: string
  readonly target: string
  /** Octets of the payload. */
  readonly body: number
}

interface Stream {
  readonly requests: readonly Read[]
  /** The head of each request, as it came. */
  readonly heads: readonly string[]
  /** `closed`: the last request says that none follows. */
  readonly end: 'complete' | 'incomplete' | 'closed' | 'refused'
}

/** Reads a connection's octets as `connection.ts` and `exchange.ts` do. */
function readOurs(octets: Buffer): Stream {
  const requests: Read[] = []
  const heads: string[] = []
  const head = new RequestHead()
  const body = new Body()
  const scratch = Buffer.alloc(octets.length)
  let at = 0
  while (at < octets.length) {
    head.reset()
    const after = head.parse(octets, at, octets.length, usualLimits)
    if (after < 0) return { requests, heads, end: 'refused' }
    if (after === 0) return { requests, heads, end: 'incomplete' }
    const { framing } = head
    if (framing.chunked) body.start('chunked')
    else if (framing.contentLength > 0) body.length(framing.contentLength)
    else body.none()
    const next = framing.chunked
      ? body.unchunk(octets, after, octets.length, scratch, 0)
      : body.read(octets, after, octets.length)
    if (next < 0) return { requests, heads, end: 'refused' }
    if (!body.done) return { requests, heads, end: 'incomplete' }
    requests.push({
      method: octets.toString('latin1', head.methodStart, head.methodEnd),
      target: octets.toString('latin1', head.targetStart, head.targetEnd),
      body: framing.chunked ? body.chunked.payload : next - after,
    })
    heads.push(octets.toString('latin1', at, after))
    at = next
    if (head.minorVersion === 1 ? framing.close : !framing.keepAlive) return { requests, heads, end: 'closed' }
  }
  return { requests, heads, end: 'complete' }
}

const server = createServer({ insecureHTTPParser: false, keepAliveTimeout: 0 })
// A socket of the file system: thousands of connections, and none leaves a port behind that waits for a minute.
const folder = mkdtempSync(join(tmpdir(), 'oracle-'))
const path = join(folder, 'http.sock')
let reads: Read[] = []

function onRequest(request: IncomingMessage, respond: () => void): void {
  let body = 0
  request.on('data', (chunk: Buffer) => {
    body += chunk.length
  })
  request.on('end', () => {
    reads.push({ method: request.method!, target: request.url!, body })
    respond()
  })
}

server.on('request', (request, response) => onRequest(request, () => response.setHeader('Content-Length', 0).end()))
server.on('checkExpectation', (request, response) => onRequest(request, () => response.end()))
server.on('clientError', (_error, socket) => socket.destroy())

beforeAll(async () => {
  server.listen(path)
  await once(server, 'listening')
})

afterAll(() => {
  server.closeAllConnections()
  server.close()
  rmSync(folder, { recursive: true })
})

async function readTheirs(octets: Buffer): Promise<readonly Read[]> {
  reads = []
  const accepted = once(server, 'connection')
  const client = connect(path)
  client.on('error', () => {})
  client.resume()
  client.end(octets)
  const [socket] = (await accepted) as [Socket]
  await once(socket, 'close')
  client.destroy()
  return reads
}

/** Where llhttp stops though we go on, and why that is right: `last` is the request before, -1 when there is none. */
const tolerated: readonly (readonly [reason: string, applies: (ours: Stream, last: number) => boolean])[] = [
  [
    'a method is any token (RFC 9110 section 9.1); llhttp knows a list of them',
    ({ requests }, last) => !knownMethods.has(requests[last + 1]!.method),
  ],
  [
    'a target of 8-bit octets, as some clients send UTF-8, passes as nginx lets it pass; llhttp refuses it',
    ({ requests }, last) => /[\x80-\xff]/.test(requests[last + 1]!.target),
  ],
  [
    'an offer to upgrade may be declined; llhttp takes what follows such a request with a body for another protocol. ' +
      'Nothing follows it there: a connection that carried an offer is not used again',
    ({ heads }, last) => last >= 0 && /^upgrade:/im.test(heads[last]!),
  ],
  [
    'llhttp obeys Proxy-Connection, which no standard has; it does not cross',
    ({ heads }, last) => last >= 0 && /^proxy-connection:/im.test(heads[last]!),
  ],
]

const knownMethods = new Set('GET HEAD POST PUT DELETE OPTIONS PATCH M-SEARCH PROPFIND REPORT PURGE'.split(' '))

/** Throws when `node:http` does not read the requests that we took, and only those as far as we took the octets. */
function compare(octets: Buffer, ours: Stream, theirs: readonly Read[]): void {
  const count = ours.requests.length
  if (theirs.length < count && tolerated.some(([, applies]) => applies(ours, theirs.length - 1))) {
    expect(theirs).toEqual(ours.requests.slice(0, theirs.length))
    return
  }
  // Behind what we refuse, and behind the last request of a connection, they may go on: we forward none of it.
  const compared = ours.end === 'refused' || ours.end === 'closed' ? theirs.slice(0, count) : theirs
  expect(compared, JSON.stringify(octets.toString('latin1'))).toEqual(ours.requests)
}

test(`valid requests are the same requests to node:http (seed ${seed})`, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(validRequest, { minLength: 1, maxLength: 4 }), async requests => {
      const octets = Buffer.from(requests.map(writeRequest).join(''), 'latin1')
      const ours = readOurs(octets)
      expect(['complete', 'closed']).toContain(ours.end)
      compare(octets, ours, await readTheirs(octets))
    }),
    settings(400),
  )
})

test(`tampered requests: what we take, node:http reads alike (seed ${seed})`, async () => {
  let taken = 0
  await fc.assert(
    fc.asyncProperty(requestStream, async text => {
      const octets = Buffer.from(text, 'latin1')
      const ours = readOurs(octets)
      taken += ours.requests.length
      compare(octets, ours, await readTheirs(octets))
    }),
    settings(4000),
  )
  expect(taken).toBeGreaterThan(100)
})
