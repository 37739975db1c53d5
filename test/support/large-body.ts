// Bodies that are too large to be collected, sent and received piece by piece.

import { createHash } from 'node:crypto'
import { heldInBuffers } from './memory.ts'
import type { Peer } from './peer.ts'

export const mebibyte = 1024 * 1024

/** Does not repeat at any power of two, so that a piece in the wrong place is noticed. */
const pattern = Buffer.from(Uint8Array.from({ length: 251 * 257 }, (_, i) => (i * 7 + Math.floor(i / 251)) & 255))

/** The octets of a large body, in pieces of `length`, cut from the pattern; the last may be shorter. */
export function* pieces(size: number, length = pattern.length): Generator<Buffer> {
  for (let at = 0; at < size; ) {
    const from = at % pattern.length
    const piece = pattern.subarray(from, Math.min(from + length, pattern.length, from + size - at))
    yield piece
    at += piece.length
  }
}

/** What `receiveLarge` finds when all octets have come, in order. */
export function digestOf(size: number): string {
  const hash = createHash('sha1')
  for (const piece of pieces(size)) hash.update(piece)
  return hash.digest('hex')
}

/** As fast as the other end takes it; `chunked`: with that framing. */
export async function sendLarge(peer: Peer, size: number, chunked = false): Promise<void> {
  for (const piece of pieces(size)) {
    if (chunked) peer.send(`${piece.length.toString(16)}\r\n`)
    await peer.send(piece)
    if (chunked) peer.send('\r\n')
  }
  if (chunked) await peer.send('0\r\n\r\n')
}

export interface Received {
  readonly digest: string
  /** The most that was held in buffers at a time, beyond what was held at the beginning. */
  readonly held: number
}

/** Keeps nothing of it. `slow`: with pauses, in which the other end must wait. */
export async function receiveLarge(
  peer: Peer,
  size: number,
  { chunked = false, slow = false }: { readonly chunked?: boolean; readonly slow?: boolean } = {},
): Promise<Received> {
  const hash = createHash('sha1')
  const before = heldInBuffers()
  let held = 0
  let looked = 0
  for (let got = 0, turn = 1; chunked || got < size; turn++) {
    if (slow && turn % 16 === 0) {
      peer.socket.pause()
      for (let i = 0; i < 20; i++) await new Promise(resolve => setImmediate(resolve))
      peer.socket.resume()
    }
    if (chunked) {
      const length = Number.parseInt((await peer.queue.takeThrough('\r\n')).toString('latin1'), 16)
      hash.update(await peer.queue.take(length))
      await peer.queue.takeThrough('\r\n')
      got += length
      if (length === 0) break
    } else {
      if (peer.queue.length === 0) await peer.queue.change()
      const octets = await peer.queue.take(Math.min(size - got, peer.queue.length))
      got += octets.length
      hash.update(octets)
    }
    if (got - looked < 8 * mebibyte) continue
    looked = got
    held = Math.max(held, heldInBuffers() - before)
  }
  return { digest: hash.digest('hex'), held }
}
