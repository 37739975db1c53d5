import { describe, expect, test } from 'vitest'
import { equals, equalsIgnoreCase, hexValue, isFieldValue, isRegName, isTarget, isToken } from './octets.ts'

function members(table: Uint8Array): string {
  return Array.from({ length: 256 }, (_, octet) => (table[octet] === 1 ? String.fromCharCode(octet) : '')).join('')
}

const digits = '0123456789'
const upper = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'
const lower = 'abcdefghijklmnopqrstuvwxyz'
const high = Array.from({ length: 128 }, (_, i) => String.fromCharCode(128 + i)).join('')
const ascii = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).join('')

describe('classes of octets', () => {
  test('token (RFC 9110 section 5.6.2)', () => {
    expect(members(isToken)).toBe(`!#$%&'*+-.${digits}${upper}^_\`${lower}|~`)
  })
  test('field value (RFC 9110 section 5.5)', () => expect(members(isFieldValue)).toBe(`\t${ascii}${high}`))
  test('request target', () => expect(members(isTarget)).toBe(ascii.slice(1).replace('#', '') + high))
  test('reg-name', () => expect(members(isRegName)).toBe(`-.${digits}${upper}_${lower}`))
  test('hexadecimal digits', () => {
    for (let octet = 0; octet < 256; octet++) {
      const text = String.fromCharCode(octet)
      expect(hexValue[octet]).toBe(/[0-9a-fA-F]/.test(text) ? Number.parseInt(text, 16) : 255)
    }
  })
})

test('comparison without case folds letters and nothing else', () => {
  const buffer = Buffer.from('xHost-@[`{ 0x', 'latin1')
  expect(equalsIgnoreCase(buffer, 1, 'host-@[`{ 0')).toBe(true)
  for (let octet = 0; octet < 256; octet++) {
    const same = String.fromCharCode(octet).toLowerCase() === 'k' && octet < 128
    expect(equalsIgnoreCase(Buffer.from([octet]), 0, 'k')).toBe(same)
    expect(equalsIgnoreCase(Buffer.from([octet]), 0, '-')).toBe(octet === 0x2d)
  }
})

test('exact comparison takes the whole range', () => {
  const buffer = Buffer.from('xGETx')
  expect(equals(buffer, 1, 4, 'GET')).toBe(true)
  expect([equals(buffer, 1, 4, 'GE'), equals(buffer, 1, 3, 'GET'), equals(buffer, 1, 4, 'get')]).toEqual([
    false,
    false,
    false,
  ])
})
