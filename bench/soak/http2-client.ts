// Streams of HTTP/2 on a few sessions to one app. A session that is told GOAWAY takes no further stream and gets a
// successor.

import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
} from 'node:http2'
import type { SoakApp } from './apps.ts'
import type { Front } from './front.ts'
import { checkCertificate, patience, type Redo } from './http1-clients.ts'
import { Broken } from './ledger.ts'

export interface StreamAnswer {
  readonly status: number
  readonly stream: ClientHttp2Stream
}

/** The other side did not process the stream: it may be sent again (RFC 9113 section 8.7). */
class Refused extends Error {}

export class Http2Client {
  readonly #app: SoakApp
  readonly #front: Front
  readonly #sessions: (ClientHttp2Session | null)[]
  #next = 0

  constructor(app: SoakApp, front: Front, sessions: number) {
    this.#app = app
    this.#front = front
    this.#sessions = Array.from({ length: sessions }, () => null)
  }

  /** Rejects with what is wrong with the answer, or with Broken. */
  async get(redo: Redo): Promise<void> {
    await this.#again(redo, async () => {
      const { status, stream } = await this.#open('/')
      const text = Buffer.concat((await stream.toArray()) as Buffer[]).toString()
      whole(stream)
      if (status !== 200) throw new Error(`status ${status}`)
      if (text !== `${this.#app.name} ${this.#app.host}`) throw new Error(`a wrong body: ${text.slice(0, 80)}`)
    })
  }

  /** The body of the answer in pieces as they come. */
  async download(path: string, redo: Redo, hear: (octets: Buffer) => void): Promise<void> {
    await this.#again(redo, async () => {
      const { status, stream } = await this.#open(path)
      if (status !== 200) throw new Error(`status ${status}`)
      for await (const octets of stream) hear(octets as Buffer)
      whole(stream)
    })
  }

  close(): void {
    for (const session of this.#sessions) session?.destroy()
  }

  async #again(redo: Redo, act: () => Promise<void>): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const trouble = await act().then(() => null, explain)
      if (trouble === null) return
      if (!(trouble instanceof Refused) || attempt === 3) throw trouble
      redo.redone()
    }
  }

  async #open(path: string): Promise<StreamAnswer> {
    const session = this.#session()
    const stream = session.request({ ':path': path, ':authority': this.#app.host })
    stream.setTimeout(patience, () => stream.destroy(new Error(`no answer in ${patience / 1_000} s`)))
    const headers = await new Promise<IncomingHttpHeaders & IncomingHttpStatusHeader>((resolve, reject) => {
      stream.once('response', resolve)
      stream.on('error', reject)
      // It may close without a word: then nobody else would tell.
      stream.once('close', () => reject(new Broken(`the stream was closed: code ${stream.rstCode}`)))
    })
    return { status: headers[':status'] ?? 0, stream }
  }

  #session(): ClientHttp2Session {
    const index = this.#next++ % this.#sessions.length
    const there = this.#sessions[index]!
    if (there !== null && !there.closed && !there.destroyed) return there
    const socket = this.#front.connectTls(this.#app.host, 'h2')
    const session = connect(`https://${this.#app.host}`, { createConnection: () => socket })
    this.#sessions[index] = session
    const drop = (): void => {
      if (this.#sessions[index] === session) this.#sessions[index] = null
    }
    session.on('connect', () => {
      try {
        checkCertificate(this.#app, socket)
      } catch (error) {
        session.destroy(error as Error)
      }
    })
    session.on('goaway', drop)
    session.on('close', drop)
    // Its streams tell of it, all of them.
    session.on('error', () => {})
    return session
  }
}

/** A stream that was cut ends, for who reads it, like any other. */
function whole({ aborted, rstCode }: ClientHttp2Stream): void {
  if (aborted || rstCode !== 0) throw new Broken(`the stream was cut: code ${rstCode}`)
}

const refusals = new Set(['ERR_HTTP2_GOAWAY_SESSION', 'ERR_HTTP2_INVALID_SESSION'])
const breaks = new Set(['ECONNRESET', 'EPIPE', 'ECONNREFUSED', 'ERR_HTTP2_STREAM_CANCEL', 'ERR_STREAM_PREMATURE_CLOSE'])

function explain(error: unknown): unknown {
  const { code = '', message } = error as NodeJS.ErrnoException
  if (refusals.has(code) || message.includes('NGHTTP2_REFUSED_STREAM')) return new Refused(message)
  if (breaks.has(code)) return new Broken(`the connection broke: ${code} ${message}`)
  return error
}
