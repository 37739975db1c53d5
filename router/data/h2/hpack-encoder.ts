// Fields into header blocks (RFC 7541 section 6). What is the same in many messages enters the dynamic table and costs an
// octet from then on; it is written with Huffman codes, once. What differs in every message is written as it is: the
// codes would save a quarter of its octets, and cost more time than all the rest.

import { copy, DynamicTable, staticCount, staticIndex, staticTable } from './hpack-table.ts'
import { encodeHuffman, huffmanLength } from './huffman.ts'

/**
 * `index`: the same in many messages (server, content-type); may enter the dynamic table. `literal`: another in every
 * message (date, content-length, etag). `never`: a secret (authorization, set-cookie), which no one on the way may put
 * into a table either, lest its octets be guessed by the size of what they compress to (section 7.1).
 */
export type Indexing = 'index' | 'literal' | 'never'

/** The table that we use at most, whatever the peer offers: it costs memory for each connection. */
const maxTableSize = 4096
/** A longer value would push out too much else. */
const maxIndexedValue = 256

/** First octets of the representations (sections 6.2.1 to 6.2.3), and the bits that they leave for an index. */
const firstOctet = { index: 0x40, literal: 0x00, never: 0x10 } as const
const indexBits = { index: 0x3f, literal: 0x0f, never: 0x0f } as const

/** Octets that an integer takes at most, those of lengths in memory. */
const maxInteger = 6

/** Octets that `begin` may write. */
export const maxBeginLength = 2 * maxInteger

/** Octets that one field may take. */
export function maxEncodedLength(nameLength: number, valueLength: number): number {
  return nameLength + valueLength + 2 * maxInteger
}

/** Static names by hash, for those that are no pseudo-fields; 0: none. Collisions take the next place. */
const nameSlots = 256
const staticNames = new Uint8Array(nameSlots)
for (let index = staticCount; index > 14; index--) {
  let slot = nameHash(staticTable.octets, staticTable.nameStart[index]!, staticTable.nameEnd[index]!)
  while (staticNames[slot] !== 0) slot = (slot + 1) & (nameSlots - 1)
  staticNames[slot] = index
}

/** Of a name in either case: its length and four of its letters tell those of the static table apart well enough. */
function nameHash(octets: Buffer, start: number, end: number): number {
  const length = end - start
  const first = octets[start]! | 0x20
  const middle = octets[start + (length >> 1)]! | 0x20
  const last = octets[end - 1]! | 0x20
  const before = octets[length > 1 ? end - 2 : start]! | 0x20
  return (length * 31 + first * 7 + middle * 53 + last * 17 + before * 3) & (nameSlots - 1)
}

export class HpackEncoder {
  readonly #table = new DynamicTable(maxTableSize)
  /** By slot of the table: a hash of name and value. */
  #hashes = new Int32Array(0)
  /** The least size and the last that the peer has set since the last block; -1: none. */
  #leastSize = -1
  #lastSize = -1
  readonly #digits = Buffer.alloc(3)

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. The next block says what becomes of the table. */
  setMaxTableSize(octets: number): void {
    const size = Math.min(octets, maxTableSize)
    if (this.#lastSize < 0 && size === this.#table.limit) return
    this.#leastSize = this.#lastSize < 0 ? Math.min(size, this.#table.limit) : Math.min(size, this.#leastSize)
    this.#lastSize = size
  }

  /** Begins a block: tells of the table's size what has changed. Returns the new position. */
  begin(target: Buffer, at: number): number {
    if (this.#lastSize < 0) return at
    let position = at
    if (this.#leastSize < this.#lastSize) {
      // The peer has dropped what does not fit into the least size, even if it allows more again (section 4.2).
      this.#table.setLimit(this.#leastSize)
      position = writeInteger(target, position, 0x20, 0x1f, this.#leastSize)
    }
    this.#table.setLimit(this.#lastSize)
    position = writeInteger(target, position, 0x20, 0x1f, this.#lastSize)
    this.#leastSize = this.#lastSize = -1
    return position
  }

  status(target: Buffer, at: number, status: number): number {
    const index = statusIndex(status)
    if (index !== 0) {
      target[at] = 0x80 | index
      return at + 1
    }
    this.#digits[0] = 0x30 + Math.floor(status / 100)
    this.#digits[1] = 0x30 + (Math.floor(status / 10) % 10)
    this.#digits[2] = 0x30 + (status % 10)
    return this.named(target, at, staticIndex.status, this.#digits, 0, 3, 'index')
  }

  /** A field that is in the static table as a whole. */
  indexed(target: Buffer, at: number, index: number): number {
    target[at] = 0x80 | index
    return at + 1
  }

  /** A field whose name is that of an entry of the static table. */
  named(
    target: Buffer,
    at: number,
    index: number,
    source: Buffer,
    valueStart: number,
    valueEnd: number,
    indexing: Indexing,
  ): number {
    const { octets, nameStart, nameEnd } = staticTable
    return this.#write(
      target,
      at,
      index,
      octets,
      nameStart[index]!,
      nameEnd[index]!,
      source,
      valueStart,
      valueEnd,
      indexing,
    )
  }

  /**
   * A field, its name written in lower case. Returns the new position in `target`, which has room for
   * `maxEncodedLength`.
   */
  field(
    target: Buffer,
    at: number,
    source: Buffer,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
    indexing: Indexing,
  ): number {
    const index = staticNameIndex(source, nameStart, nameEnd)
    return this.#write(target, at, index, source, nameStart, nameEnd, source, valueStart, valueEnd, indexing)
  }

  #write(
    target: Buffer,
    at: number,
    index: number,
    nameSource: Buffer,
    nameStart: number,
    nameEnd: number,
    source: Buffer,
    valueStart: number,
    valueEnd: number,
    indexing: Indexing,
  ): number {
    const size = nameEnd - nameStart + valueEnd - valueStart + 32
    const table = this.#table
    let how = indexing
    if (indexing === 'index') {
      if (valueEnd - valueStart > maxIndexedValue || size > table.limit) how = 'literal'
      else {
        const hash = fieldHash(nameSource, nameStart, nameEnd, source, valueStart, valueEnd)
        const age = this.#find(hash, nameSource, nameStart, nameEnd, source, valueStart, valueEnd)
        if (age >= 0) return writeInteger(target, at, 0x80, 0x7f, staticCount + 1 + age)
        table.add(nameSource, nameStart, nameEnd, source, valueStart, valueEnd)
        this.#noteNewest(hash)
      }
    }
    let position = writeInteger(target, at, firstOctet[how], indexBits[how], index)
    if (index === 0) {
      position = writeInteger(target, position, 0, 0x7f, nameEnd - nameStart)
      lowerCopy(nameSource, nameStart, nameEnd, target, position)
      position += nameEnd - nameStart
    }
    return how === 'index'
      ? writeShortest(target, position, source, valueStart, valueEnd)
      : writePlain(target, position, source, valueStart, valueEnd)
  }

  /** How many younger entries there are than the one that is this field; -1: none is. */
  #find(
    hash: number,
    nameSource: Buffer,
    nameStart: number,
    nameEnd: number,
    source: Buffer,
    valueStart: number,
    valueEnd: number,
  ): number {
    const table = this.#table
    const hashes = this.#hashes
    for (let age = 0; age < table.count; age++) {
      const slot = table.slot(age)
      if (hashes[slot] !== hash) continue
      const from = table.nameStart[slot]!
      const middle = table.nameEnd[slot]!
      if (middle - from !== nameEnd - nameStart || table.valueEnd[slot]! - middle !== valueEnd - valueStart) continue
      if (!sameName(nameSource, nameStart, nameEnd, table.octets, from)) continue
      if (same(source, valueStart, valueEnd, table.octets, middle)) return age
    }
    return -1
  }

  #noteNewest(hash: number): void {
    const table = this.#table
    const slot = table.slot(0)
    if (this.#hashes.length === 0) this.#hashes = new Int32Array(table.nameStart.length)
    this.#hashes[slot] = hash
    for (let at = table.nameStart[slot]!; at < table.nameEnd[slot]!; at++) table.octets[at] = lower(table.octets[at]!)
  }
}

function statusIndex(status: number): number {
  switch (status) {
    case 200:
      return 8
    case 204:
      return 9
    case 206:
      return 10
    case 304:
      return 11
    case 400:
      return 12
    case 404:
      return 13
    case 500:
      return 14
    default:
      return 0
  }
}

/** The index of the static entry with this name; 0: none. */
function staticNameIndex(source: Buffer, start: number, end: number): number {
  if (end === start) return 0
  const { octets, nameStart, nameEnd } = staticTable
  for (let slot = nameHash(source, start, end); ; slot = (slot + 1) & (nameSlots - 1)) {
    const index = staticNames[slot]!
    if (index === 0) return 0
    if (nameEnd[index]! - nameStart[index]! !== end - start) continue
    if (sameName(source, start, end, octets, nameStart[index]!)) return index
  }
}

/** Of lengths and eight octets: those that differ in none of these are told apart by comparing them. */
function fieldHash(
  nameSource: Buffer,
  nameStart: number,
  nameEnd: number,
  source: Buffer,
  valueStart: number,
  valueEnd: number,
): number {
  let hash = Math.imul(nameEnd - nameStart + 1, 0x01000193) ^ (valueEnd - valueStart)
  const nameStep = ((nameEnd - nameStart) >> 2) + 1
  for (let i = nameStart; i < nameEnd; i += nameStep) hash = Math.imul(hash ^ (nameSource[i]! | 0x20), 0x01000193)
  const valueStep = ((valueEnd - valueStart) >> 2) + 1
  for (let i = valueEnd - 1; i >= valueStart; i -= valueStep) hash = Math.imul(hash ^ source[i]!, 0x01000193)
  return hash
}

function lower(octet: number): number {
  return octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet
}

function lowerCopy(source: Buffer, start: number, end: number, target: Buffer, at: number): void {
  for (let i = start; i < end; i++) target[at + i - start] = lower(source[i]!)
}

/** `[start, end)` in either case, and as many octets of `other` in lower case. */
function sameName(source: Buffer, start: number, end: number, other: Buffer, from: number): boolean {
  for (let i = start; i < end; i++) if (lower(source[i]!) !== other[from + i - start]) return false
  return true
}

function same(source: Buffer, start: number, end: number, other: Buffer, from: number): boolean {
  for (let i = start; i < end; i++) if (source[i] !== other[from + i - start]) return false
  return true
}

function writePlain(target: Buffer, at: number, source: Buffer, start: number, end: number): number {
  const position = writeInteger(target, at, 0, 0x7f, end - start)
  return position + copy(source, start, end, target, position)
}

function writeShortest(target: Buffer, at: number, source: Buffer, start: number, end: number): number {
  const length = huffmanLength(source, start, end)
  if (length >= end - start) return writePlain(target, at, source, start, end)
  return encodeHuffman(source, start, end, target, writeInteger(target, at, 0x80, 0x7f, length))
}

/** Section 5.1: `mask` are the bits of the prefix, `first` those above it. */
function writeInteger(target: Buffer, at: number, first: number, mask: number, value: number): number {
  if (value < mask) {
    target[at] = first | value
    return at + 1
  }
  target[at++] = first | mask
  let rest = value - mask
  for (; rest >= 0x80; rest >>>= 7) target[at++] = 0x80 | (rest & 0x7f)
  target[at++] = rest
  return at
}
