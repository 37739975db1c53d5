// The client's end of an HTTP/2 connection at the level of frames, for what no well-behaved client would send.

import { once } from 'node:events'
import { connect, type TLSSocket } from 'node:tls'
import { flag, frameHeaderSize, frameType, preface } from '#router/data/h2/frames.ts'
import { type Frame, frame, request } from './http2-frames.ts'

export class FramePeer implements AsyncDisposable {
  readonly socket: TLSSocket
  /** All frames that came so far. */
  readonly frames: Frame[] = []
  #octets = Buffer.alloc(0)
  #closed = false
  readonly #waiting = new Set<() => void>()

  private constructor(socket: TLSSocket) {
    this.socket = socket
    socket.on('data', (octets: Buffer) => this.#read(octets))
    socket.on('error', () => {})
    socket.on('drain', () => this.#wake())
    socket.on('close', () => {
      this.#closed = true
      this.#wake()
    })
  }

  /** Only the handshake is done. */
  static async silent(port: number, servername: string): Promise<FramePeer> {
    const socket = connect({ host: '127.0.0.1', port, servername, ALPNProtocols: ['h2'], rejectUnauthorized: false })
    socket.setNoDelay(true)
    const peer = new FramePeer(socket)
    await once(socket, 'secureConnect')
    return peer
  }

  /** The preface and these settings are sent. */
  static async open(port: number, servername: string, ...settings: readonly Buffer[]): Promise<FramePeer> {
    const peer = await FramePeer.silent(port, servername)
    peer.send(preface, frame(frameType.settings, 0, 0, Buffer.concat(settings)))
    return peer
  }

  get isClosed(): boolean {
    return this.#closed
  }

  /** False: the kernel has taken no more. */
  send(...octets: readonly Uint8Array[]): boolean {
    return this.#closed || this.socket.write(Buffer.concat(octets))
  }

  /** A stream whose request is complete. */
  get(stream: number, host: string, path = '/'): void {
    this.send(frame(frameType.headers, flag.endHeaders | flag.endStream, stream, request(host, 'GET', path)))
  }

  /** Resolves with the first frame, come already or to come, that is wanted; null: the connection closed without. */
  async find(wanted: (frame: Frame) => boolean): Promise<Frame | null> {
    for (let at = 0; ; ) {
      for (; at < this.frames.length; at++) if (wanted(this.frames[at]!)) return this.frames[at]!
      if (this.#closed) return null
      await this.#news()
    }
  }

  #news(): Promise<void> {
    return new Promise(resolve => {
      const wake = (): void => {
        this.#waiting.delete(wake)
        resolve()
      }
      this.#waiting.add(wake)
    })
  }

  /** The code of the GOAWAY that ends the connection; null: it closed without one. */
  async goAway(): Promise<number | null> {
    const found = await this.find(
      ({ type, payload }) => type === frameType.goAway && payload.readUInt32BE(0) < 0x7fffffff,
    )
    return found === null ? null : found.payload.readUInt32BE(4)
  }

  /** The code with which a stream was reset. */
  async resetCode(stream: number): Promise<number | null> {
    const found = await this.find(one => one.type === frameType.rstStream && one.stream === stream)
    return found === null ? null : found.payload.readUInt32BE(0)
  }

  /** Resolves when the kernel takes more, or nothing is open any more. */
  async drained(): Promise<void> {
    while (!this.#closed && this.socket.writableNeedDrain) await this.#news()
  }

  async closed(): Promise<void> {
    await this.find(() => false)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy()
    await this.closed()
  }

  #read(octets: Buffer): void {
    this.#octets = Buffer.concat([this.#octets, octets])
    for (;;) {
      const length = this.#octets.length < frameHeaderSize ? -1 : this.#octets.readUIntBE(0, 3)
      if (length < 0 || this.#octets.length < frameHeaderSize + length) break
      const [type, flags] = [this.#octets[3]!, this.#octets[4]!]
      const payload = this.#octets.subarray(frameHeaderSize, frameHeaderSize + length)
      this.frames.push({ type, flags, stream: this.#octets.readUInt32BE(5) & 0x7fffffff, payload })
      this.#octets = this.#octets.subarray(frameHeaderSize + length)
    }
    this.#wake()
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
  }
}
