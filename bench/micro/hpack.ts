// What header blocks cost: fields by reference, as they are written, and with Huffman codes, both ways.

import { HpackDecoder } from '#router/data/h2/hpack-decoder.ts'
import { HpackEncoder, type Indexing } from '#router/data/h2/hpack-encoder.ts'
import { decodeHuffman, encodeHuffman, huffmanLength } from '#router/data/h2/huffman.ts'
import { report } from './rounds.ts'

type Field = readonly [name: string, value: string, indexing: Indexing]

const answer: readonly Field[] = [
  ['server', 'nginx', 'index'],
  ['date', 'Mon, 21 Oct 2013 20:13:21 GMT', 'literal'],
  ['content-type', 'text/html; charset=utf-8', 'index'],
  ['content-length', '1024', 'literal'],
  ['vary', 'Accept-Encoding', 'index'],
  ['etag', '"5f3c-1a2b3c4d5e"', 'literal'],
  ['cache-control', 'public, max-age=3600', 'index'],
  ['strict-transport-security', 'max-age=10886400; includeSubDomains', 'index'],
]
/** Fields of a browser's second request: what stays is a reference, the path and a cookie are not. */
const request: readonly Field[] = [
  [':method', 'GET', 'index'],
  [':scheme', 'https', 'index'],
  [':authority', 'www.example.com', 'index'],
  [':path', '/assets/main.css?v=20131021', 'literal'],
  ['user-agent', 'Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0', 'index'],
  ['accept', 'text/css,*/*;q=0.1', 'index'],
  ['accept-language', 'en-US,en;q=0.5', 'index'],
  ['accept-encoding', 'gzip, deflate, br, zstd', 'index'],
  ['referer', 'https://www.example.com/', 'index'],
  ['cookie', 'session=0123456789abcdef0123456789abcdef', 'literal'],
]

let check = 0
const sink = {
  onField(_source: Buffer, _nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    check += nameEnd + valueEnd - valueStart
  },
}
const target = Buffer.alloc(64 * 1024)

interface Placed {
  readonly source: Buffer
  readonly nameEnd: number
  readonly indexing: Indexing
}

function placed(fields: readonly Field[]): readonly Placed[] {
  return fields.map(([name, value, indexing]) => ({
    source: Buffer.from(name + value),
    nameEnd: name.length,
    indexing,
  }))
}

function encode(encoder: HpackEncoder, fields: readonly Placed[]): number {
  let at = encoder.begin(target, 0)
  for (const { source, nameEnd, indexing } of fields)
    at = encoder.field(target, at, source, 0, nameEnd, nameEnd, source.length, indexing)
  return at
}

for (const [name, fields] of [
  ['answer of 8 fields', placed(answer)],
  ['request of 10 fields', placed(request)],
] as const) {
  const encoder = new HpackEncoder()
  encode(encoder, fields)
  report(`${name}: encode`, () => {
    check += encode(encoder, fields)
  })
  const fresh = new HpackEncoder()
  const first = Buffer.from(target.subarray(0, encode(fresh, fields)))
  const again = Buffer.from(target.subarray(0, encode(fresh, fields)))
  const decoder = new HpackDecoder(4096)
  decoder.decode(first, 0, first.length, sink)
  report(`${name}: decode ${again.length} octets`, () => decoder.decode(again, 0, again.length, sink))
}

const hundred = Buffer.alloc(100, 0x88)
const decoder = new HpackDecoder(4096)
report('100 references to the static table: decode', () => decoder.decode(hundred, 0, 100, sink))
decoder.decode(Buffer.from('400161086162636465666768', 'hex'), 0, 12, sink)
hundred.fill(0xbe)
report('100 references to the dynamic table: decode', () => decoder.decode(hundred, 0, 100, sink))

// A table that is full, and the field that is searched last.
const full = new HpackEncoder()
const many = placed(Array.from({ length: 90 }, (_, i): Field => [`x-${i}`, 'value', 'index']))
encode(full, many)
const oldest = many.slice(0, 1)
report('the oldest of 90 entries: encode', () => {
  check += encode(full, oldest)
})

const text = Buffer.from('https://www.example.com/assets/main.css?v=20131021')
const coded = Buffer.alloc(text.length)
const length = encodeHuffman(text, 0, text.length, coded, 0)
report(`Huffman, ${text.length} octets: encode`, () => {
  check += huffmanLength(text, 0, text.length) + encodeHuffman(text, 0, text.length, target, 0)
})
report(`Huffman, ${text.length} octets: decode`, () => {
  check += decodeHuffman(coded, 0, length, target, 0)
})
if (check <= 0) throw new Error('nothing was read')
