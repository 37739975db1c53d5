// A body of any length whose pieces are all different, so that a missing, doubled or swapped one shows in its hash.

import { createHash } from 'node:crypto'

const size = 65_536

/** `bytes` bytes in chunks of at most 64 kB. Chunks are fresh: the receiver may keep them. */
export function* chunks(bytes: number): Generator<Buffer> {
  for (let offset = 0; offset < bytes; offset += size) {
    const chunk = Buffer.alloc(Math.min(size, bytes - offset), 'deis workflow router ')
    if (chunk.length >= 6) chunk.writeUIntBE(offset, 0, 6)
    yield chunk
  }
}

/** SHA-256 of that body, hexadecimal. */
export function payloadHash(bytes: number): string {
  const hash = createHash('sha256')
  for (const chunk of chunks(bytes)) hash.update(chunk)
  return hash.digest('hex')
}
