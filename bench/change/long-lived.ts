// What must outlive any change: an open WebSocket that is talked over all the time, and a long download.

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { WebSocket } from 'ws'
import { payloadHash } from '../support/payload.ts'

export interface SocketOutcome {
  readonly sent: number
  readonly echoed: number
  /** Whether it stayed open until we closed it. */
  readonly stayedOpen: boolean
}

/** Sends a message every 20 ms until `end` is called. */
export async function talk(port: number, host: string): Promise<{ end(): Promise<SocketOutcome> }> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/echo`, { headers: { Host: host } })
  let sent = 0
  let echoed = 0
  socket.on('message', data => {
    // In order and complete, or it does not count.
    if (data.toString() === `message ${echoed}`) echoed += 1
  })
  await once(socket, 'open')
  socket.on('error', () => {})
  const timer = setInterval(() => {
    if (socket.readyState === WebSocket.OPEN) socket.send(`message ${sent++}`)
  }, 20)
  return {
    async end() {
      clearInterval(timer)
      const stayedOpen = socket.readyState === WebSocket.OPEN
      if (stayedOpen) {
        // The closing handshake goes behind all echoes.
        socket.close()
        await once(socket, 'close')
      }
      return { sent, echoed, stayedOpen }
    },
  }
}

export interface DownloadOutcome {
  readonly bytes: number
  readonly whole: boolean
  readonly seconds: number
  /** Why it is not whole; null when it is. */
  readonly trouble: string | null
}

/** Downloads `bytes` in about `seconds`. Never rejects. */
export async function download(port: number, host: string, bytes: number, seconds: number): Promise<DownloadOutcome> {
  const started = performance.now()
  const hash = createHash('sha256')
  let received = 0
  let trouble: string | null = null
  try {
    const path = `/download?bytes=${bytes}&seconds=${seconds}`
    const request = get({ host: '127.0.0.1', port, path, headers: { Host: host }, agent: false })
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    for await (const chunk of response) {
      hash.update(chunk as Buffer)
      received += (chunk as Buffer).length
    }
    if (response.statusCode !== 200) trouble = `status ${response.statusCode}`
    else if (hash.digest('hex') !== payloadHash(bytes)) trouble = 'the bytes are not those that were sent'
  } catch (error) {
    trouble = error instanceof Error ? error.message : String(error)
  }
  return { bytes: received, whole: trouble === null, seconds: (performance.now() - started) / 1_000, trouble }
}
