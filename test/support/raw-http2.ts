// One end of an HTTP/2 connection that a test drives frame by frame: it can say what no library would.

import { type Frame, frame, settings } from './http2-frames.ts'
import type { Peer } from './peer.ts'

export const type = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goAway: 7,
  window: 8,
  continuation: 9,
} as const

export const endStream = 1
export const endHeaders = 4
export const ack = 1

export class RawHttp2 {
  readonly peer: Peer

  constructor(peer: Peer) {
    this.peer = peer
  }

  /** The side that was connected to, once the other one's preface has come; says `own` as its settings. */
  static async accept(peer: Peer, own: Buffer = settings()): Promise<RawHttp2> {
    const raw = new RawHttp2(peer)
    const preface = await raw.#take(24)
    if (preface.toString('latin1') !== 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n') throw new Error('no preface')
    await peer.send(own)
    return raw
  }

  send(...frames: readonly Uint8Array[]): Promise<void> {
    return this.peer.send(Buffer.concat(frames))
  }

  /** The next frame; settings are acknowledged on the way. */
  async next(): Promise<Frame> {
    const head = await this.#take(9)
    const payload = await this.#take(head.readUIntBE(0, 3))
    const found = { type: head[3]!, flags: head[4]!, stream: head.readUInt32BE(5), payload }
    if (found.type === type.settings && found.flags === 0) await this.send(frame(type.settings, ack, 0))
    return found
  }

  /** The next frame of this type, whatever comes before it. */
  async frame(wanted: number): Promise<Frame> {
    for (;;) {
      const found = await this.next()
      if (found.type === wanted) return found
    }
  }

  #take(octets: number): Promise<Buffer> {
    return octets === 0 ? Promise.resolve(Buffer.alloc(0)) : this.peer.queue.take(octets)
  }
}
