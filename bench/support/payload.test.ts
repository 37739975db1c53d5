import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { chunks, payloadHash } from './payload.ts'

test('the body has the length asked for, in pieces', () => {
  for (const bytes of [0, 1, 5, 65_536, 65_537, 1_000_000]) {
    const pieces = [...chunks(bytes)]
    expect(pieces.reduce((sum, piece) => sum + piece.length, 0)).toBe(bytes)
    expect(payloadHash(bytes)).toBe(createHash('sha256').update(Buffer.concat(pieces)).digest('hex'))
  }
})

test('a lost or swapped piece changes the hash', () => {
  const [a, b, c] = [...chunks(3 * 65_536)] as [Buffer, Buffer, Buffer]
  const hash = (...pieces: Buffer[]) => createHash('sha256').update(Buffer.concat(pieces)).digest('hex')
  expect(hash(a, b, c)).toBe(payloadHash(3 * 65_536))
  expect(hash(a, c, b)).not.toBe(payloadHash(3 * 65_536))
  expect(hash(a, a, c)).not.toBe(payloadHash(3 * 65_536))
})
