// Header blocks, from octets to fields (RFC 7541 section 3). Pure: a field is told as positions in a buffer, and nothing
// is allocated for it. An error is final, since the table can no longer be what the peer thinks it is.

import { copy, DynamicTable, staticCount, staticTable } from './hpack-table.ts'
import { decodeHuffman, maxDecodedLength } from './huffman.ts'

/** Who takes the fields of a header block. */
export interface FieldSink {
  /**
   * A field, in order. The octets of `source` are valid during the call only. Whatever the owner thinks of it, the block
   * is decoded to its end, for the table's sake: the owner bounds what it keeps, and how large a block may be.
   */
  onField(source: Buffer, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void
}

/** Continuation octets of an integer: more than a header block may be long needs no more, leading zeros included. */
const maxContinuations = 4

/** Size updates at the beginning of a block: the smallest size since the last block, and the present one (section 4.2). */
const maxSizeUpdates = 2

/** A scratch buffer that a long field has made longer than this is not kept. */
const keptScratch = 64 * 1024

/** Where strings are put that do not stand in the block as they are: one for the thread, as decoding is never interrupted. */
let scratch = Buffer.allocUnsafeSlow(4096)

export class HpackDecoder {
  readonly #table: DynamicTable
  /** The block under way: where it is read next and where it ends. */
  #at = 0
  #end = 0
  /** How much of the scratch buffer the present field has taken. */
  #used = 0

  /** `maxTableSize`: our SETTINGS_HEADER_TABLE_SIZE. The table has it from the start, so 4096, the standard's, is least. */
  constructor(maxTableSize: number) {
    this.#table = new DynamicTable(maxTableSize)
  }

  /** Decodes one whole header block, `[start, end)`; false: COMPRESSION_ERROR, the connection is over. */
  decode(buffer: Buffer, start: number, end: number, sink: FieldSink): boolean {
    this.#at = start
    this.#end = end
    let updates = 0
    let first = true
    while (this.#at < end) {
      const octet = buffer[this.#at]!
      if (octet >= 0x80) {
        first = false
        if (!this.#indexed(buffer, sink)) return false
      } else if (octet >= 0x40) {
        first = false
        if (!this.#literal(buffer, 0x3f, true, sink)) return false
      } else if (octet >= 0x20) {
        if (!first || ++updates > maxSizeUpdates || !this.#sizeUpdate(buffer)) return false
      } else {
        first = false
        // Literals without indexing and those that are never indexed differ in nothing but the fourth bit.
        if (!this.#literal(buffer, 0x0f, false, sink)) return false
      }
    }
    return true
  }

  #sizeUpdate(buffer: Buffer): boolean {
    const size = this.#integer(buffer, 0x1f)
    if (size < 0 || size > this.#table.maximum) return false
    this.#table.setLimit(size)
    return true
  }

  #indexed(buffer: Buffer, sink: FieldSink): boolean {
    const index = this.#integer(buffer, 0x7f)
    if (index <= 0) return false
    if (index <= staticCount) {
      const { octets, nameStart, nameEnd, valueEnd } = staticTable
      sink.onField(octets, nameStart[index]!, nameEnd[index]!, nameEnd[index]!, valueEnd[index]!)
      return true
    }
    const table = this.#table
    if (index - staticCount > table.count) return false
    const slot = table.slot(index - staticCount - 1)
    sink.onField(
      table.octets,
      table.nameStart[slot]!,
      table.nameEnd[slot]!,
      table.nameEnd[slot]!,
      table.valueEnd[slot]!,
    )
    return true
  }

  #literal(buffer: Buffer, mask: number, indexing: boolean, sink: FieldSink): boolean {
    const index = this.#integer(buffer, mask)
    if (index < 0) return false
    this.#used = 0
    // Where the name stands: in the block, or copied or decoded into the scratch buffer.
    let nameStart = 0
    let nameEnd = 0
    let inBlock = false
    if (index !== 0) {
      nameEnd = this.#copyName(index)
      if (nameEnd < 0) return false
    } else {
      inBlock = this.#at < this.#end && buffer[this.#at]! < 0x80
      const length = this.#length(buffer)
      if (length < 0) return false
      nameStart = this.#at
      this.#at += length
      nameEnd = this.#at
      if (!inBlock) {
        nameEnd = this.#decoded(buffer, nameStart, nameEnd)
        nameStart = 0
        if (nameEnd < 0) return false
      }
    }
    const isPlain = this.#at < this.#end && buffer[this.#at]! < 0x80
    const length = this.#length(buffer)
    if (length < 0) return false
    let valueStart = this.#at
    let valueEnd = valueStart + length
    this.#at = valueEnd
    let source = buffer
    if (!inBlock || !isPlain) {
      if (inBlock) {
        nameEnd = this.#copied(buffer, nameStart, nameEnd)
        nameStart = 0
      }
      const from = this.#used
      valueEnd = isPlain ? this.#copied(buffer, valueStart, valueEnd) : this.#decoded(buffer, valueStart, valueEnd)
      if (valueEnd < 0) return false
      valueStart = from
      source = scratch
    }
    if (indexing) this.#table.add(source, nameStart, nameEnd, source, valueStart, valueEnd)
    sink.onField(source, nameStart, nameEnd, valueStart, valueEnd)
    if (scratch.length > keptScratch) scratch = Buffer.allocUnsafeSlow(4096)
    return true
  }

  /** Copies the name of an entry into the scratch buffer: adding this field may drop that entry. Returns its end, or -1. */
  #copyName(index: number): number {
    if (index <= staticCount) {
      const { octets, nameStart, nameEnd } = staticTable
      return this.#copied(octets, nameStart[index]!, nameEnd[index]!)
    }
    const table = this.#table
    if (index - staticCount > table.count) return -1
    const slot = table.slot(index - staticCount - 1)
    return this.#copied(table.octets, table.nameStart[slot]!, table.nameEnd[slot]!)
  }

  /** Puts octets into the scratch buffer; returns the position behind them. */
  #copied(source: Buffer, start: number, end: number): number {
    this.#reserve(end - start)
    this.#used += copy(source, start, end, scratch, this.#used)
    return this.#used
  }

  /** Puts a Huffman-coded string into the scratch buffer; returns the position behind it, or -1. */
  #decoded(buffer: Buffer, start: number, end: number): number {
    this.#reserve(maxDecodedLength(end - start))
    this.#used = decodeHuffman(buffer, start, end, scratch, this.#used)
    return this.#used
  }

  #reserve(octets: number): void {
    if (this.#used + octets <= scratch.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#used + octets, 2 * scratch.length))
    scratch.copy(grown, 0, 0, this.#used)
    scratch = grown
  }

  /** The length of the string that comes (section 5.2); -1: it does not end within the block. */
  #length(buffer: Buffer): number {
    if (this.#at >= this.#end) return -1
    const length = this.#integer(buffer, 0x7f)
    return length <= this.#end - this.#at ? length : -1
  }

  /** Section 5.1; `mask` are the bits of the prefix. -1: too large, or longer than the block. */
  #integer(buffer: Buffer, mask: number): number {
    let value = buffer[this.#at++]! & mask
    if (value < mask) return value
    for (let shift = 0; shift < 7 * maxContinuations; shift += 7) {
      if (this.#at >= this.#end) return -1
      const octet = buffer[this.#at++]!
      value += (octet & 0x7f) << shift
      if (octet < 0x80) return value
    }
    return -1
  }
}
