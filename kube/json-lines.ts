// A stream of bytes as JSON values, one for each line: how the API server sends a watch.

import { TransportError } from './errors.ts'

const newline = 0x0a

/**
 * Yields the value of each line; blank lines are skipped. Throws a TransportError when a line is longer than `limit`
 * bytes or not JSON, or when the bytes end inside a line.
 */
export async function* jsonLines(chunks: AsyncIterable<Uint8Array>, limit: number): AsyncGenerator<unknown, void> {
  // Lines are cut as bytes and decoded whole: 0x0a is never part of a longer UTF-8 sequence, but a chunk may end in one.
  let held: Uint8Array[] = []
  let heldLength = 0
  for await (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      if (heldLength + end - start > limit) throw tooLong(limit)
      const line = decode(held, chunk.subarray(start, end))
      held = []
      heldLength = 0
      start = end + 1
      if (line.trim() !== '') yield parse(line)
    }
    if (start === chunk.length) continue
    heldLength += chunk.length - start
    if (heldLength > limit) throw tooLong(limit)
    held.push(chunk.subarray(start))
  }
  if (decode(held).trim() !== '') throw new TransportError('the stream ended inside a line')
}

function decode(held: readonly Uint8Array[], last?: Uint8Array): string {
  const parts = last === undefined ? held : [...held, last]
  return Buffer.concat(parts).toString('utf8')
}

/** What JSON.parse says quotes the text, and the text may be a Secret: so the error is our own and has no cause. */
function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    throw new TransportError('a line of the stream is not JSON')
  }
}

function tooLong(limit: number): TransportError {
  return new TransportError(`a line of the stream is longer than ${limit} bytes`)
}
