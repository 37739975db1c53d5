// Single requests to a proxy, outside any measurement: does it serve, and is it really doing the work of its case?

import { once } from 'node:events'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { request as httpsRequest } from 'node:https'
import { connect } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { gunzipSync } from 'node:zlib'
import type { Case } from './cases.ts'
import type { Serving } from './subject.ts'

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** Protocol version and cipher suite; null without TLS. */
  readonly tls: string | null
}

interface Question {
  readonly scheme: 'http' | 'https'
  readonly port: number
  readonly host: string
  readonly path: string
  readonly method?: string
  readonly body?: Buffer
  readonly asksForGzip?: boolean
  /** HTTP/2 only over TLS. */
  readonly protocol?: Case['protocol']
}

/** Whether somebody accepts connections on this port of 127.0.0.1. */
export function accepts(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })
}

/** One request on a connection of its own. */
export function ask(question: Question): Promise<Answer> {
  return question.protocol === 'h2' ? askHttp2(question) : askHttp1(question)
}

function askHttp1({ scheme, port, host, path, method = 'GET', body, asksForGzip }: Question): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { Host: host, ...(asksForGzip && { 'Accept-Encoding': 'gzip' }) }
    const options = { host: '127.0.0.1', port, path, method, headers, agent: false, timeout: 10_000 }
    const request =
      scheme === 'https'
        ? // The certificate was made for this run and is signed by nobody.
          httpsRequest({ ...options, servername: host, rejectUnauthorized: false })
        : httpRequest(options)
    request.on('error', reject)
    request.on('timeout', () => request.destroy(new Error('no answer in 10 s')))
    request.on('response', response => {
      const tls = scheme === 'https' ? suiteOf(response.socket as TLSSocket) : null
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks), tls }),
      )
    })
    request.end(body)
  })
}

async function askHttp2({ port, host, path, method = 'GET', body, asksForGzip }: Question): Promise<Answer> {
  const options = { host: '127.0.0.1', port, servername: host, rejectUnauthorized: false, ALPNProtocols: ['h2'] }
  const socket = connectTls(options)
  await once(socket, 'secureConnect')
  if (socket.alpnProtocol !== 'h2') {
    socket.destroy()
    throw new Error('it does not agree on HTTP/2')
  }
  const session = connectHttp2(`https://${host}`, { createConnection: () => socket })
  // Its streams tell of it too.
  session.on('error', () => {})
  try {
    const gzip = asksForGzip ? { 'accept-encoding': 'gzip' } : {}
    const stream = session.request(
      { ':method': method, ':path': path, ':authority': host, ...gzip },
      // Node would take a GET to be complete.
      { endStream: false },
    )
    stream.setTimeout(10_000, () => stream.destroy(new Error('no answer in 10 s')))
    stream.end(body)
    const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders & { readonly ':status'?: number }]
    const chunks: Buffer[] = []
    for await (const chunk of stream) chunks.push(chunk as Buffer)
    return { status: headers[':status'] ?? 0, headers, body: Buffer.concat(chunks), tls: suiteOf(socket) }
  } finally {
    session.destroy()
  }
}

function suiteOf(socket: TLSSocket): string {
  return `${socket.getProtocol()} ${socket.getCipher().standardName}`
}

/**
 * Throws a sentence when the proxy does not do what the case asks: answer each of a few hosts with the right body,
 * refuse an unknown host, and tell the backend who asked and how. Returns what TLS was agreed on.
 */
export async function checkWork(work: Case, serving: Serving, hosts: readonly string[]): Promise<string | null> {
  const { scheme, protocol, path, method, requestBytes, answerBytes, compression } = work
  const asksForGzip = compression === 'asked'
  const { port } = serving
  const some = new Set([hosts[0]!, hosts[hosts.length >> 1]!, hosts.at(-1)!])
  let tls: string | null = null
  for (const host of some) {
    const body = Buffer.alloc(requestBytes, 'x')
    const answer = await ask({ scheme, protocol, port, host, path, method, body, asksForGzip })
    if (answer.status !== 200) throw new Error(`${method} ${path} of ${host} was answered ${answer.status}, not 200`)
    if ((answer.headers['content-encoding'] === 'gzip') !== asksForGzip)
      throw new Error(`${method} ${path} of ${host} came ${asksForGzip ? 'un' : ''}compressed`)
    const { length } = asksForGzip ? gunzipSync(answer.body) : answer.body
    if (length !== answerBytes) throw new Error(`${method} ${path} of ${host} gave ${length} bytes, not ${answerBytes}`)
    tls = answer.tls
  }
  const unknown = await ask({ scheme, protocol, port, host: 'unknown.bench.example', path: '/1k' })
  if (unknown.status !== 404) throw new Error(`an unknown host was answered ${unknown.status}, not 404`)
  const told = await ask({ scheme, protocol, port, host: hosts[0]!, path: '/forwarded' })
  const want = `127.0.0.1 ${scheme}`
  if (!new RegExp(`^${want} [0-9]+$`).test(told.body.toString()))
    throw new Error(`the backend saw "${told.body}" as X-Forwarded-For, -Proto and -Port, not "${want} PORT"`)
  return tls
}
