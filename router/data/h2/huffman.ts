// The Huffman code of HPACK (RFC 7541 section 5.2). The code is canonical: the lengths of appendix B say all of it. It is
// read half an octet at a time by a table that is made from them once.

/** Bits of the code of each octet and of EOS, which is symbol 256; `28x7`: seven in a row. */
const lengths = [
  // Controls.
  '13 23 28x7 24 30 28x2 30 28x8 30 28x9',
  // Blank to question mark.
  '6 10x2 12 13 6 8 11 10x2 8 11 8 6x3 5x3 6x7 7 8 15 6 12 10',
  // At sign, capitals, brackets.
  '13 6 7x22 8 7 8 13 19 13 14 6 15',
  // Small letters, braces, DEL.
  '5 6 5 6 5 6x3 5 7x2 6x3 5 6 7 6 5x2 6 7x5 15 11 14 13 28',
  // 128 to 191.
  '20 22 20x2 22x3 23 22 23x5 24 23 24x2 22 23 24 23x4 21 22 23 22 23x2 24',
  '22 21 20 22x2 23x2 21 23 22x2 24 21 22 23x2 21x2 22 21 23 22 23x2 20 22x3 23 22x2 23',
  // 192 to 255, EOS.
  '26x2 20 19 22 23 22 25 26x3 27x2 26 24 25 19 21 26 27x2 26 27 24 21x2 26x2',
  '28 27x3 20 24 20 21 22 21x2 23 22x2 25x2 24x2 26 23 26 27 26x2 27x5 28 27x5 26 30',
]

const eos = 256
const longestCode = 30

/** Bits of each symbol's code. */
export const codeLengths = Uint8Array.from(
  lengths.flatMap(line =>
    line.split(' ').flatMap(run => {
      const [bits, count = '1'] = run.split('x')
      return new Array<number>(Number(count)).fill(Number(bits))
    }),
  ),
)

/** The codes, in the lowest bits. */
export const codes = canonicalCodes()

function canonicalCodes(): Uint32Array {
  const result = new Uint32Array(codeLengths.length)
  let code = 0
  for (let bits = 1; bits <= longestCode; bits++) {
    for (let symbol = 0; symbol < codeLengths.length; symbol++)
      if (codeLengths[symbol] === bits) result[symbol] = code++
    code *= 2
  }
  return result
}

// An entry of the decoder for each state and each four bits that may follow: the state after them, and the octet that
// they complete. The shortest code has five bits, so four bits complete one octet at most. A state is an inner node of
// the code's tree, and a tree with 257 leaves has 256 of them.
const stateMask = 0xff
const octetShift = 8
const completes = 1 << 16
const fails = 1 << 17

const { transitions, mayEnd } = decoder()

function decoder(): { transitions: Int32Array; mayEnd: Uint8Array } {
  // Two children for each inner node: an inner node's number, or ~symbol.
  const children = [0, 0]
  for (let symbol = 0; symbol < codeLengths.length; symbol++) {
    let node = 0
    for (let bit = codeLengths[symbol]! - 1; bit > 0; bit--) {
      const side = 2 * node + ((codes[symbol]! >>> bit) & 1)
      if (children[side] === 0) {
        children[side] = children.length / 2
        children.push(0, 0)
      }
      node = children[side]!
    }
    children[2 * node + (codes[symbol]! & 1)] = ~symbol
  }
  const table = new Int32Array((children.length / 2) * 16)
  for (let at = 0; at < table.length; at++) {
    let node = at >> 4
    let entry = 0
    for (let bit = 3; bit >= 0; bit--) {
      node = children[2 * node + ((at >> bit) & 1)]!
      if (node >= 0) continue
      // EOS in the text is an error (section 5.2).
      entry = ~node === eos ? fails : completes | (~node << octetShift)
      node = 0
    }
    table[at] = entry | node
  }
  // Padding is the beginning of EOS, all ones, and shorter than an octet.
  const ends = new Uint8Array(children.length / 2)
  for (let node = 0, ones = 0; ones < 8; ones++, node = children[2 * node + 1]!) ends[node] = 1
  return { transitions: table, mayEnd: ends }
}

/** Octets that `length` octets of Huffman code hold at most. */
export function maxDecodedLength(length: number): number {
  return Math.floor((length * 8) / 5)
}

/** Decodes `[start, end)` into `target`, which has room; returns the position behind what it wrote, or -1. */
export function decodeHuffman(source: Uint8Array, start: number, end: number, target: Uint8Array, at: number): number {
  let position = at
  let state = 0
  for (let i = start; i < end; i++) {
    const octet = source[i]!
    const high = transitions[(state << 4) | (octet >> 4)]!
    if ((high & completes) !== 0) target[position++] = high >> octetShift
    const low = transitions[((high & stateMask) << 4) | (octet & 15)]!
    if ((low & completes) !== 0) target[position++] = low >> octetShift
    if (((high | low) & fails) !== 0) return -1
    state = low & stateMask
  }
  return mayEnd[state] === 1 ? position : -1
}

/** Octets that `[start, end)` takes when it is encoded. */
export function huffmanLength(source: Uint8Array, start: number, end: number): number {
  let bits = 0
  for (let i = start; i < end; i++) bits += codeLengths[source[i]!]!
  return (bits + 7) >> 3
}

/** Encodes `[start, end)` into `target` and returns the position behind it. */
export function encodeHuffman(source: Uint8Array, start: number, end: number, target: Uint8Array, at: number): number {
  let position = at
  let waiting = 0
  let count = 0
  for (let i = start; i < end; i++) {
    const code = codes[source[i]!]!
    let bits = codeLengths[source[i]!]!
    // Up to 7 bits wait, and a code has 30 at most: the first of a long one go by themselves, lest 32 be too few.
    if (bits > 24) {
      bits -= 16
      waiting = (waiting << bits) | (code >>> 16)
      for (count += bits; count >= 8; count -= 8) target[position++] = waiting >>> (count - 8)
      bits = 16
    }
    waiting = (waiting << bits) | (code & ((1 << bits) - 1))
    for (count += bits; count >= 8; count -= 8) target[position++] = waiting >>> (count - 8)
  }
  if (count > 0) target[position++] = (waiting << (8 - count)) | (0xff >> count)
  return position
}
