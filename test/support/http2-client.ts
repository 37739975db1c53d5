// An HTTP/2 client for tests, Node's own: whole exchanges, or streams to drive by hand.

import { once } from 'node:events'
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders } from 'node:http2'

export interface Http2Answer {
  readonly status: number
  readonly fields: IncomingHttpHeaders
  readonly body: string
  readonly trailers: IncomingHttpHeaders
}

export class Http2Client implements AsyncDisposable {
  readonly session: ClientHttp2Session

  private constructor(session: ClientHttp2Session) {
    this.session = session
    session.on('error', () => {})
  }

  static async tls(port: number, servername: string, address = '127.0.0.1'): Promise<Http2Client> {
    return Http2Client.#connect(`https://${address}:${port}`, { servername, rejectUnauthorized: false })
  }

  static async plain(port: number): Promise<Http2Client> {
    return Http2Client.#connect(`http://127.0.0.1:${port}`, {})
  }

  static async #connect(origin: string, options: object): Promise<Http2Client> {
    const session = connect(origin, { settings: { enablePush: false }, ...options })
    const client = new Http2Client(session)
    await once(session, 'remoteSettings')
    return client
  }

  /** Begins a request; the body is the caller's to send unless `end`. */
  request(fields: Record<string, string>, end = true): ClientHttp2Stream {
    const stream = this.session.request({ ':scheme': 'https', ':path': '/', ...fields }, { endStream: end })
    stream.on('error', () => {})
    return stream
  }

  async exchange(fields: Record<string, string>, body?: string | Uint8Array): Promise<Http2Answer> {
    const stream = this.request(fields, body === undefined)
    if (body !== undefined) stream.end(body)
    return await answerOf(stream)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.session.destroyed) return
    const closed = once(this.session, 'close')
    this.session.destroy()
    await closed
  }
}

/** The whole answer; rejects when the stream is reset. */
export async function answerOf(stream: ClientHttp2Stream): Promise<Http2Answer> {
  const failed = new Promise<never>((_, reject) => {
    stream.once('error', reject)
    stream.once('aborted', () => reject(new Error('aborted')))
  })
  failed.catch(() => {})
  const [fields] = (await Promise.race([once(stream, 'response'), failed])) as [IncomingHttpHeaders]
  let trailers: IncomingHttpHeaders = {}
  stream.on('trailers', (found: IncomingHttpHeaders) => {
    trailers = found
  })
  const pieces: Buffer[] = []
  stream.on('data', (piece: Buffer) => pieces.push(piece))
  await Promise.race([once(stream, 'end'), failed])
  const status = Number((fields as unknown as Record<string, unknown>)[':status'])
  return { status, fields, body: Buffer.concat(pieces).toString('latin1'), trailers }
}
