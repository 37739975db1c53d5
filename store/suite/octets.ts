// Octets for stores to keep, and what comes back of them.

import { createHash, randomBytes } from 'node:crypto'
import type { Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'

export const MiB = 1024 * 1024

export async function keys(list: AsyncIterable<{ readonly key: string }>): Promise<string[]> {
  return await Array.fromAsync(list, ({ key }) => key)
}

export async function bytes(reading: Promise<Readable>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync((await reading) as AsyncIterable<Buffer>))
}

export async function text(reading: Promise<Readable>): Promise<string> {
  return (await bytes(reading)).toString()
}

export async function* chunks(...all: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const chunk of all) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk
}

export async function* failing(why: Error, ...before: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  yield* chunks(...before)
  throw why
}

/** Lets others run between pieces, as sockets do. */
export async function* pieces(whole: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < whole.byteLength; at += size) {
    await setImmediate()
    yield whole.subarray(at, at + size)
  }
}

export async function* noise(size: number, hash: { update(chunk: Uint8Array): unknown }): AsyncGenerator<Uint8Array> {
  for (let left = size; left > 0; ) {
    const chunk = randomBytes(Math.min(left, 64 * 1024))
    hash.update(chunk)
    left -= chunk.length
    yield chunk
  }
}

/** Looks now and then what buffers are held beyond those at its start. */
export function watch(heldInBuffers: () => number) {
  const before = heldInBuffers()
  let most = 0
  return {
    async *through(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
      let seen = 0
      for await (const chunk of source) {
        yield chunk
        seen += chunk.byteLength
        if (seen < 4 * MiB) continue
        seen = 0
        most = Math.max(most, heldInBuffers() - before)
      }
    },
    most: () => most,
  }
}

export function digest(body: Uint8Array): string {
  return createHash('sha256').update(body).digest('hex')
}
