import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { codeLengths, codes, decodeHuffman, encodeHuffman, huffmanLength, maxDecodedLength } from './huffman.ts'

function decode(octets: Buffer): string | null {
  // Guards around both, so that a step beyond a range shows.
  const source = Buffer.concat([Buffer.from([0xff]), octets, Buffer.from([0xff, 0xff])])
  const room = maxDecodedLength(octets.length)
  const target = Buffer.alloc(room + 2, 0xee)
  const end = decodeHuffman(source, 1, 1 + octets.length, target, 1)
  expect(target[0]).toBe(0xee)
  expect(target[room + 1]).toBe(0xee)
  return end < 0 ? null : target.toString('latin1', 1, end)
}

function encode(octets: Buffer): Buffer {
  const length = huffmanLength(octets, 0, octets.length)
  const target = Buffer.alloc(length + 1, 0xee)
  expect(encodeHuffman(octets, 0, octets.length, target, 0)).toBe(length)
  expect(target[length]).toBe(0xee)
  return target.subarray(0, length)
}

/** Bits as text, padded with ones to whole octets. */
function bits(spaced: string): Buffer {
  const text = spaced.replaceAll(' ', '')
  const padded = text.padEnd(Math.ceil(text.length / 8) * 8, '1')
  return Buffer.from((padded.match(/.{8}/g) ?? []).map(octet => Number.parseInt(octet, 2)))
}

test('the code is complete: every sequence of bits is a sequence of symbols', () => {
  expect(codeLengths.length).toBe(257)
  expect(codeLengths.reduce((sum, length) => sum + 2 ** -length, 0)).toBe(1)
})

describe('codes of RFC 7541 appendix B', () => {
  const rows: readonly (readonly [symbol: number, bits: number, code: number])[] = [
    [0, 13, 0x1ff8],
    [9, 24, 0xffffea],
    [10, 30, 0x3ffffffc],
    [0x25, 6, 0x15],
    [0x30, 5, 0],
    [0x3c, 15, 0x7ffc],
    [0x5c, 19, 0x7fff0],
    [0x61, 5, 3],
    [0x7f, 28, 0xffffffc],
    [128, 20, 0xfffe6],
    [199, 25, 0x1ffffec],
    [249, 28, 0xffffffe],
    [255, 26, 0x3ffffee],
    [256, 30, 0x3fffffff],
  ]
  for (const [symbol, length, code] of rows)
    test(`${symbol}`, () => expect([codeLengths[symbol], codes[symbol]]).toEqual([length, code]))
})

describe('strings of RFC 7541 appendix C', () => {
  const rows: readonly (readonly [text: string, octets: string])[] = [
    ['www.example.com', 'f1e3c2e5f23a6ba0ab90f4ff'],
    ['no-cache', 'a8eb10649cbf'],
    ['custom-value', '25a849e95bb8e8b4bf'],
    ['Mon, 21 Oct 2013 20:13:21 GMT', 'd07abe941054d444a8200595040b8166e082a62d1bff'],
    ['https://www.example.com', '9d29ad171863c78f0b97c8e9ae82ae43d3'],
    ['', ''],
  ]
  for (const [text, octets] of rows) {
    test(JSON.stringify(text), () => {
      expect(encode(Buffer.from(text)).toString('hex')).toBe(octets)
      expect(decode(Buffer.from(octets, 'hex'))).toBe(text)
    })
  }
})

describe('what ends a string (RFC 7541 section 5.2)', () => {
  const rows: readonly (readonly [name: string, octets: Buffer, text: string | null])[] = [
    ['three ones', bits('00000'), '0'],
    ['seven ones', bits('00000'.repeat(5)), '00000'],
    ['no padding', bits('00000 00000 010100'), '00 '],
    ['eight ones', bits('00000 00000 010100 11111111'), null],
    ['nothing but eight ones', bits('11111111'), null],
    ['zeros', bits('00000 000'), null],
    ['ones but the last', bits('00000 110'), null],
    ['EOS', bits('1'.repeat(30)), null],
    ['EOS behind a symbol', bits(`00000${'1'.repeat(30)}`), null],
    ['half a long symbol', bits('11111111 11111110'), null],
  ]
  for (const [name, octets, text] of rows) test(name, () => expect(decode(octets)).toBe(text))
})

test('every octet comes back', () => {
  for (let octet = 0; octet < 256; octet++) {
    const octets = Buffer.from([octet, 0x61, octet])
    expect(decode(encode(octets))).toBe(octets.toString('latin1'))
  }
})

test('what was encoded comes back', () => {
  const octets = fc.uint8Array({ maxLength: 300 })
  fc.assert(
    fc.property(octets, text => {
      const buffer = Buffer.from(text)
      expect(decode(encode(buffer))).toBe(buffer.toString('latin1'))
    }),
  )
})

test('what is no encoding is refused, and what is decoded is the one encoding of its text', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), octets => {
      const buffer = Buffer.from(octets)
      const text = decode(buffer)
      if (text !== null) expect(encode(Buffer.from(text, 'latin1')).equals(buffer)).toBe(true)
    }),
    { numRuns: 2000 },
  )
})
