// Hands the source of a build to the Pod that builds it, so that nothing has to be mounted or kept in between: a URL that
// is good for one download, with a secret that only the Pod was given, for as long as the build waits for it.

import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pipeline } from 'node:stream/promises'

export interface SourceServerOptions {
  /** IP address to listen on. */
  readonly address: string
  /** 0: the kernel chooses. */
  readonly port: number
  /** `http://HOST:PORT`, as Pods reach it; null: by address and port as they are. */
  readonly url: URL | null
}

export interface Offer extends Disposable {
  readonly url: string
  /** Secret. */
  readonly token: string
  /** Whether it was fetched to its end. */
  readonly isTaken: boolean
}

interface Offered {
  readonly directory: string
  readonly digest: Buffer
  tries: number
  isBusy: boolean
  isTaken: boolean
  child: ChildProcess | null
}

/** Downloads that break are begun again so often. */
const maxTries = 5
/** Milliseconds in which nothing of a download moves. */
const idleTimeout = 60_000
const maxConnections = 200

export class SourceServer implements AsyncDisposable {
  readonly #server: Server
  readonly #base: string
  readonly #offers = new Map<string, Offered>()

  private constructor(server: Server, url: URL | null) {
    this.#server = server
    const { address, port } = server.address() as AddressInfo
    const host = address.includes(':') ? `[${address}]` : address
    this.#base = (url ?? new URL(`http://${host}:${port}`)).href.replace(/\/$/, '')
  }

  static async start({ address, port, url }: SourceServerOptions): Promise<SourceServer> {
    let ready: SourceServer | null = null
    const server = createServer({ headersTimeout: 10_000, requestTimeout: 10_000 }, (request, response) => {
      if (ready !== null) void ready.#handle(request, response)
    })
    server.maxConnections = maxConnections
    server.setTimeout(idleTimeout)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    server.once('error', reject)
    server.listen(port, address, resolve)
    await promise
    ready = new SourceServer(server, url)
    return ready
  }

  /** All that is in the directory, until it is disposed of. */
  offer(directory: string): Offer {
    const id = randomBytes(16).toString('hex')
    const token = randomBytes(32).toString('base64url')
    const offered: Offered = {
      ...{ directory, digest: digestOf(token), tries: 0 },
      ...{ isBusy: false, isTaken: false, child: null },
    }
    this.#offers.set(id, offered)
    return {
      url: `${this.#base}/sources/${id}`,
      token,
      get isTaken() {
        return offered.isTaken
      },
      [Symbol.dispose]: () => {
        this.#offers.delete(id)
        offered.child?.kill('SIGKILL')
      },
    }
  }

  async close(): Promise<void> {
    for (const { child } of this.#offers.values()) child?.kill('SIGKILL')
    this.#offers.clear()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#server.close(() => resolve())
    this.#server.closeAllConnections()
    await promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => {})
    response.setHeader('connection', 'close')
    const [, id] = /^\/sources\/([0-9a-f]{32})$/.exec(request.url ?? '') ?? []
    const offered = request.method === 'GET' && id !== undefined ? this.#offers.get(id) : undefined
    // One answer for all who may not: nobody learns which builds there are.
    if (offered === undefined || !isRight(request, offered.digest)) return refuse(response, 404)
    if (offered.isTaken || offered.tries >= maxTries) return refuse(response, 410)
    if (offered.isBusy) return refuse(response, 409)
    offered.isBusy = true
    offered.tries++
    try {
      await send(offered, response)
      offered.isTaken = true
    } catch {
      // Cut, so that what has come so far is not taken for the whole.
      response.destroy()
    } finally {
      offered.isBusy = false
      offered.child = null
    }
  }
}

async function send(offered: Offered, response: ServerResponse): Promise<void> {
  // Its own environment tells tar nothing: TAR_OPTIONS could.
  const env = { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C' }
  // Not the directory itself: where it is unpacked, that is somebody else's.
  const names = await readdir(offered.directory)
  const args = ['-C', offered.directory, '-czf', '-', '--null', '--verbatim-files-from', '-T', '-']
  const child = spawn('tar', args, { env, stdio: ['pipe', 'pipe', 'ignore'] })
  child.stdin.on('error', () => {}).end(names.map(name => `./${name}\0`).join(''))
  offered.child = child
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>()
  child.once('error', reject)
  child.once('close', code => (code === 0 ? resolve() : reject(new Error(`tar ended with ${code}`))))
  ended.catch(() => {})
  response.writeHead(200, { 'content-type': 'application/gzip' })
  try {
    // The end of the answer is said only when tar has said that all is in it.
    await pipeline(child.stdout, response, { end: false })
    await ended
    const { promise, resolve: sent, reject: failed } = Promise.withResolvers<void>()
    response.once('close', () => (response.writableFinished ? sent() : failed(new Error('the connection broke'))))
    response.end()
    await promise
  } finally {
    child.kill('SIGKILL')
  }
}

function isRight(request: IncomingMessage, digest: Buffer): boolean {
  const [, token = ''] = /^Bearer ([\w-]{1,100})$/.exec(request.headers.authorization ?? '') ?? []
  return timingSafeEqual(digestOf(token), digest)
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}

function refuse(response: ServerResponse, status: number): void {
  response.writeHead(status).end()
}
