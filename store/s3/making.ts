// Objects that are made in parts: of octets that we have, or of octets that the server has.

import { StoreError } from '../store.ts'
import type { Bucket, Multipart, Piece } from './bucket.ts'
import { inParts } from './parts.ts'
import { together } from './together.ts'

export interface Limits {
  /**
   * Octets in a part, at least 5 MiB but for the last one. A write has two of them in memory. All are alike, since some
   * servers ask for that.
   */
  readonly partSize: number
  /** The API's own bound. With it no object is larger than 78 GiB. */
  readonly maxParts: number
  /** What is larger is copied in pieces of this size: no request then takes so long that a dead server is not told from a busy one. */
  readonly copySize: number
}

export const defaultLimits: Limits = { partSize: 8 * 1024 * 1024, maxParts: 10_000, copySize: 256 * 1024 * 1024 }

const copiesAtOnce = 4

/** Writes an object. Returns its size. */
export async function makeFrom(
  bucket: Bucket,
  source: AsyncIterable<Uint8Array>,
  key: string,
  { partSize, maxParts }: Limits,
): Promise<number> {
  let multipart: Multipart | null = null
  let size = 0
  const pending: Promise<string>[] = []
  try {
    for await (const part of inParts(source, partSize)) {
      size += part.length
      if (multipart === null) {
        if (part.length < partSize) {
          await bucket.put(key, part)
          return size
        }
        multipart = await bucket.startMultipart(key)
      }
      // The one before has its buffer to itself until then.
      await pending.at(-1)
      if (pending.length === maxParts) throw new StoreError('refused', `${key}: too large`)
      const sent = bucket.putPart(multipart, pending.length + 1, part)
      // Awaited above or below.
      sent.catch(() => {})
      pending.push(sent)
    }
    await bucket.completeMultipart(multipart!, await Promise.all(pending))
    return size
  } catch (error) {
    if (multipart !== null) await giveUp(bucket, multipart, pending)
    throw error
  }
}

/** Makes an object of pieces of others. False: one of them is not there, or is another by now. */
export async function makeOf(bucket: Bucket, pieces: readonly Piece[], key: string): Promise<boolean> {
  if (pieces.length === 1) return await bucket.copy(pieces[0]!, key)
  const multipart = await bucket.startMultipart(key)
  try {
    const tags: string[] = []
    let complete = true
    await together(pieces, copiesAtOnce, async (piece, index) => {
      if (!complete) return
      const tag = await bucket.copyPart(multipart, index + 1, piece)
      if (tag === null) complete = false
      else tags[index] = tag
    })
    if (complete) await bucket.completeMultipart(multipart, tags)
    else await giveUp(bucket, multipart, [])
    return complete
  } catch (error) {
    await giveUp(bucket, multipart, [])
    throw error
  }
}

// A part that arrives after the end would stay, so none is under way then. What cannot be removed now, a later start removes.
async function giveUp(bucket: Bucket, multipart: Multipart, pending: readonly Promise<string>[]): Promise<void> {
  await Promise.allSettled(pending)
  await bucket.abortMultipart(multipart).catch(() => {})
}
