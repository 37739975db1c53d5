// What stays open while everything changes: WebSockets, uploads that take their time, long answers over HTTP/2. Each is a
// lane that begins anew when it has come to its end.

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { payloadHash } from '../support/payload.ts'
import type { SoakApp } from './apps.ts'
import type { Front } from './front.ts'
import { explain } from './http1-clients.ts'
import type { Http2Client } from './http2-client.ts'
import { Broken, type Ledger } from './ledger.ts'

/** How long each lives, milliseconds. */
const life = 8_000
const messageInterval = 100
/** What a WebSocket that ends without a Close frame is closed with. */
const brokenOff = 1006
const uploadBytes = 400_000
const downloadBytes = 2_000_000

export interface LongLivedOptions {
  readonly ledger: Ledger
  readonly front: Front
  readonly app: SoakApp
  readonly http2: Http2Client
  readonly signal: AbortSignal
}

/** So many lanes of each kind, until the signal; resolves when all have come to their ends. */
export async function keepOpen(options: LongLivedOptions, lanes: number): Promise<void> {
  const kinds: [kind: string, live: (options: LongLivedOptions) => Promise<void>][] = [
    ['WebSocket', webSocket],
    ['upload with length', options => upload(options, true)],
    ['upload chunked', options => upload(options, false)],
    ['download over h2', download],
  ]
  const { ledger, signal } = options
  const lane = async (kind: string, live: (options: LongLivedOptions) => Promise<void>, index: number) => {
    // Not all at once.
    await delay((index / lanes) * life, undefined, { signal }).catch(() => {})
    while (!signal.aborted) {
      const started = performance.now()
      try {
        await live(options)
        ledger.done(kind, started)
      } catch (error) {
        ledger.failed(kind, started, error)
        await delay(100)
      }
    }
  }
  await Promise.all(
    kinds.flatMap(([kind, live]) => Array.from({ length: lanes }, (_, index) => lane(kind, live, index))),
  )
}

/** Messages both ways; every one comes back, in order, and the connection stays until we close it. */
async function webSocket({ front, app, signal }: LongLivedOptions): Promise<void> {
  const socket = new WebSocket(`ws://${app.host}/echo`, {
    createConnection: () => front.connect(),
    headers: { Host: app.host },
  })
  let sent = 0
  let echoed = 0
  let trouble: unknown = null
  socket.on('error', error => {
    trouble = explain(error)
  })
  socket.on('message', data => {
    if (data.toString() === `message ${echoed}`) echoed++
  })
  try {
    await once(socket, 'open')
  } catch (error) {
    throw explain(error)
  }
  const closed = once(socket, 'close')
  for (const end = performance.now() + life; performance.now() < end && !signal.aborted; ) {
    if (socket.readyState !== WebSocket.OPEN) break
    socket.send(`message ${sent++}`)
    await delay(messageInterval)
  }
  const stayedOpen = socket.readyState === WebSocket.OPEN
  socket.close()
  const [code] = (await closed) as [number]
  // It may also break while it closes (RFC 6455 section 7.1.5).
  if (!stayedOpen || code === brokenOff) throw trouble ?? new Broken('the WebSocket was cut')
  if (echoed !== sent) throw new Error(`${sent} messages were sent and ${echoed} echoed`)
}

async function upload({ front, app, signal }: LongLivedOptions, withLength: boolean): Promise<void> {
  const socket = front.connect()
  try {
    const asked = request({
      createConnection: () => socket,
      method: 'POST',
      path: '/upload',
      headers: { Host: app.host, ...(withLength ? { 'Content-Length': uploadBytes } : {}) },
    })
    const answered = once(asked, 'response')
    // It may come, or fail, while we write.
    answered.catch(() => {})
    const pieces = 20
    for (let piece = 0; piece < pieces && !asked.destroyed; piece++) {
      asked.write(Buffer.alloc(uploadBytes / pieces, 'x'))
      if (!signal.aborted) await delay(life / pieces)
    }
    asked.end()
    const [response] = (await answered) as [IncomingMessage]
    const text = Buffer.concat(await response.toArray()).toString()
    if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}`)
    if (text !== String(uploadBytes)) throw new Error(`${uploadBytes} bytes were sent and ${text} received`)
  } catch (error) {
    throw explain(error)
  } finally {
    socket.destroy()
  }
}

const wholeHash = payloadHash(downloadBytes)

async function download({ http2, ledger }: LongLivedOptions): Promise<void> {
  let hash = createHash('sha256')
  const redo = {
    redone: () => {
      hash = createHash('sha256')
      ledger.redone('download over h2')
    },
  }
  await http2.download(
    `/download?bytes=${downloadBytes}&seconds=${life / 1_000}`,
    redo,
    octets => void hash.update(octets),
  )
  if (hash.digest('hex') !== wholeHash) throw new Error('the bytes are not those that were sent')
}
