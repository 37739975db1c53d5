// What finding the end of a chunked body costs: chunks as servers write them, and as small as an enemy would.

import { ChunkedReader } from '#router/data/http/chunked.ts'
import { report } from './rounds.ts'

const reader = new ChunkedReader()
let check = 0

function bodyOf(chunk: number, count: number): Buffer {
  const line = `${chunk.toString(16)}\r\n${'x'.repeat(chunk)}\r\n`
  return Buffer.from(`${line.repeat(count)}0\r\n\r\n`, 'latin1')
}

function read(body: Buffer): void {
  reader.reset()
  check += reader.read(body, 0, body.length)
}

for (const [chunk, count] of [
  [1024, 1],
  [16 * 1024, 4],
  [100, 100],
  [1, 1000],
] as const) {
  const body = bodyOf(chunk, count)
  report(`${count} × ${chunk} octets`, () => read(body))
}

const body = bodyOf(1024, 8)
const target = Buffer.alloc(body.length)
report('8 × 1024 octets, payload copied', () => {
  reader.reset()
  check += reader.read(body, 0, body.length, target, 0)
})
if (check <= 0) throw new Error('nothing was read')
