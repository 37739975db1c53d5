import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type FieldSink, HpackDecoder } from './hpack-decoder.ts'
import { encodeHuffman } from './huffman.ts'

type Field = readonly [name: string, value: string]

class Collector implements FieldSink {
  fields: Field[] = []
  onField(source: Buffer, nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    expect(0 <= nameStart && nameStart <= nameEnd && nameEnd <= source.length).toBe(true)
    expect(0 <= valueStart && valueStart <= valueEnd && valueEnd <= source.length).toBe(true)
    this.fields.push([source.toString('latin1', nameStart, nameEnd), source.toString('latin1', valueStart, valueEnd)])
  }
}

/** Fields of the block, or null when it is refused. What stands around the block must not matter. */
function decode(decoder: HpackDecoder, block: Buffer): readonly Field[] | null {
  const collector = new Collector()
  const buffer = Buffer.concat([Buffer.from([0x82]), block, Buffer.from([0x82, 0x82, 0x82])])
  return decoder.decode(buffer, 1, 1 + block.length, collector) ? collector.fields : null
}

function decodeHex(decoder: HpackDecoder, hex: string): readonly Field[] | null {
  return decode(decoder, Buffer.from(hex.replaceAll(' ', ''), 'hex'))
}

const first: readonly Field[] = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'www.example.com'],
]
const second: readonly Field[] = [...first, ['cache-control', 'no-cache']]
const third: readonly Field[] = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':path', '/index.html'],
  [':authority', 'www.example.com'],
  ['custom-key', 'custom-value'],
]
const answer = (status: string, date: string): readonly Field[] => [
  [':status', status],
  ['cache-control', 'private'],
  ['date', `Mon, 21 Oct 2013 20:13:${date} GMT`],
  ['location', 'https://www.example.com'],
]
const answers: readonly (readonly Field[])[] = [
  answer('302', '21'),
  answer('307', '21'),
  [
    ...answer('200', '22'),
    ['content-encoding', 'gzip'],
    ['set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'],
  ],
]

describe('examples of RFC 7541 appendix C', () => {
  const rows: readonly (readonly [
    name: string,
    table: number,
    blocks: readonly (readonly [string, readonly Field[]])[],
  ])[] = [
    ['C.2.1', 4096, [['400a637573746f6d2d6b65790d637573746f6d2d686561646572', [['custom-key', 'custom-header']]]]],
    ['C.2.2', 4096, [['040c2f73616d706c652f70617468', [[':path', '/sample/path']]]]],
    ['C.2.3', 4096, [['100870617373776f726406736563726574', [['password', 'secret']]]]],
    ['C.2.4', 4096, [['82', [[':method', 'GET']]]]],
    [
      'C.3',
      4096,
      [
        ['828684410f7777772e6578616d706c652e636f6d', first],
        ['828684be58086e6f2d6361636865', second],
        ['828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565', third],
      ],
    ],
    [
      'C.4',
      4096,
      [
        ['828684418cf1e3c2e5f23a6ba0ab90f4ff', first],
        ['828684be5886a8eb10649cbf', second],
        ['828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf', third],
      ],
    ],
    [
      'C.5',
      256,
      [
        [
          '4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f' +
            '7777772e6578616d706c652e636f6d',
          answers[0]!,
        ],
        ['4803333037c1c0bf', answers[1]!],
        [
          '88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b42' +
            '5a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31',
          answers[2]!,
        ],
      ],
    ],
    [
      'C.6',
      256,
      [
        [
          '488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3',
          answers[0]!,
        ],
        ['4883640effc1c0bf', answers[1]!],
        [
          '88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f' +
            '3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007',
          answers[2]!,
        ],
      ],
    ],
  ]
  for (const [name, table, blocks] of rows) {
    test(name, () => {
      const decoder = new HpackDecoder(table)
      for (const [hex, fields] of blocks) expect(decodeHex(decoder, hex)).toEqual(fields)
    })
  }
})

describe('a block that is decoded', () => {
  const long = 'x'.repeat(300)
  const rows: readonly (readonly [name: string, hex: string, fields: readonly Field[]])[] = [
    ['nothing', '', []],
    ['a size update alone', '20', []],
    ['two size updates', '20 3f e1 1f 82', [[':method', 'GET']]],
    ['the size that it has', '3f e1 1f 82', [[':method', 'GET']]],
    ['an empty name and value', '00 00 00', [['', '']]],
    ['octets of all kinds', '00 02 00 ff 02 0d 0a', [['\x00\xff', '\r\n']]],
    ['a name with Huffman codes, a value without', '00 81 1f 01 62', [['a', 'b']]],
    ['a value with Huffman codes, a name without', '00 01 62 81 1f', [['b', 'a']]],
    ['a length of several octets', `00 01 61 7f ad 01 ${Buffer.from(long).toString('hex')}`, [['a', long]]],
    ['an integer with needless zeros', '0f 80 80 00 01 61', [['accept-charset', 'a']]],
    ['the last entry of the static table', 'bd', [['www-authenticate', '']]],
    [
      'the first of the dynamic table',
      '40 01 61 01 62 be',
      [
        ['a', 'b'],
        ['a', 'b'],
      ],
    ],
    [
      'a name of the dynamic table',
      '40 01 61 01 62 7e 01 63 bf',
      [
        ['a', 'b'],
        ['a', 'c'],
        ['a', 'b'],
      ],
    ],
    [
      'never indexed, by a name of the dynamic table',
      '40 01 61 01 62 1f 2f 01 63 be',
      [
        ['a', 'b'],
        ['a', 'c'],
        ['a', 'b'],
      ],
    ],
  ]
  for (const [name, hex, fields] of rows) {
    test(name, () => expect(decodeHex(new HpackDecoder(4096), hex)).toEqual(fields))
  }

  test('an entry may take its name from the one that it drops', () => {
    const decoder = new HpackDecoder(64)
    const name = Buffer.from('a-name-of-24-octets.....').toString('hex')
    expect(decodeHex(decoder, `40 18 ${name} 01 31`)).toEqual([['a-name-of-24-octets.....', '1']])
    expect(decodeHex(decoder, '7e 02 32 32 be')).toEqual([
      ['a-name-of-24-octets.....', '22'],
      ['a-name-of-24-octets.....', '22'],
    ])
  })

  test('a field that is larger than the table empties it, and is a field all the same', () => {
    const decoder = new HpackDecoder(64)
    const value = Buffer.from('y'.repeat(40)).toString('hex')
    expect(decodeHex(decoder, `40 01 61 01 62 40 01 61 28 ${value}`)).toEqual([
      ['a', 'b'],
      ['a', 'y'.repeat(40)],
    ])
    expect(decodeHex(decoder, 'be')).toBe(null)
  })

  test('a size update drops entries', () => {
    const decoder = new HpackDecoder(4096)
    expect(decodeHex(decoder, '40 01 61 01 62 40 01 61 01 63 bf')?.at(-1)).toEqual(['a', 'b'])
    // 34 octets: one entry stays.
    expect(decodeHex(decoder, '3f 03 be')).toEqual([['a', 'c']])
    expect(decodeHex(decoder, 'bf')).toBe(null)
  })

  test('a string of any length, and the next one after it', () => {
    const decoder = new HpackDecoder(4096)
    const text = 'a-b'.repeat(50_000)
    const encoded = Buffer.alloc(text.length)
    const length = encodeHuffman(Buffer.from(text), 0, text.length, encoded, 0)
    const rest = length - 127
    const prefix = [0x00, 0x01, 0x61, 0xff, (rest & 0x7f) | 0x80, ((rest >> 7) & 0x7f) | 0x80, rest >> 14]
    const fields = decode(decoder, Buffer.concat([Buffer.from(prefix), encoded.subarray(0, length)]))
    expect(fields?.[0]?.[1] === text).toBe(true)
    expect(decodeHex(decoder, '00 81 1f 01 62')).toEqual([['a', 'b']])
  })
})

describe('a block that is refused', () => {
  const rows: readonly (readonly [name: string, hex: string])[] = [
    ['index 0', '80'],
    ['an index behind an empty dynamic table', 'be'],
    ['an index behind a dynamic table', '40 01 61 01 62 bf'],
    ['a large index', 'ff ff ff ff 07'],
    ['an index that does not end', 'ff'],
    ['an index that does not end, later', 'ff 80 80'],
    ['an index of too many octets', 'ff 80 80 80 80 00'],
    ['an index that overflows', 'ff ff ff ff ff 0f'],
    ['a name behind an empty dynamic table', '7e 01 61'],
    ['a name of index 62, never indexed', '1f 2f 01 61'],
    ['no name', '40'],
    ['a name of index 1 and no value', '41'],
    ['a name and no value', '00 01 61'],
    ['a name that does not end', '00 02 61'],
    ['a value that does not end', '00 01 61 02 61'],
    ['a length that does not end', '00 01 61 7f'],
    ['a length of 2^28 octets', '00 01 61 7f 81 ff ff 7f'],
    ['a length of too many octets', '00 01 61 7f 80 80 80 80 00'],
    ['a name with Huffman codes that do not end', '00 82 1c'],
    ['a value with Huffman codes that do not end', '00 01 61 82 1c'],
    ['a name with wrong padding', '00 81 18 01 61'],
    ['a value with wrong padding', '00 01 61 81 18'],
    ['a value with EOS', '00 01 61 84 ff ff ff ff'],
    ['a value with an octet of padding', '00 01 61 82 1f ff'],
    ['a size above the limit', '3f e2 1f'],
    ['a size that does not end', '3f'],
    ['a size update behind a field', '82 20'],
    ['a size update between fields', '82 20 82'],
    ['three size updates', '20 21 22'],
  ]
  for (const [name, hex] of rows) test(name, () => expect(decodeHex(new HpackDecoder(4096), hex)).toBe(null))

  test('fields before the fault have been told', () => {
    const collector = new Collector()
    expect(new HpackDecoder(4096).decode(Buffer.from([0x82, 0x80]), 0, 2, collector)).toBe(false)
    expect(collector.fields).toEqual([[':method', 'GET']])
  })
})

test('many references to one large entry cost nothing but the telling', () => {
  const decoder = new HpackDecoder(4096)
  const value = Buffer.alloc(4000, 0x78)
  const block = Buffer.concat([Buffer.from([0x40, 0x01, 0x61, 0x7f, 0xa1, 0x1e]), value, Buffer.alloc(16_000, 0xbe)])
  const sources = new Set<Buffer>()
  let octets = 0
  const sink: FieldSink = {
    onField(source, _nameStart, _nameEnd, valueStart, valueEnd) {
      sources.add(source)
      octets += valueEnd - valueStart
    },
  }
  expect(decoder.decode(block, 0, block.length, sink)).toBe(true)
  expect(octets).toBe(16_001 * 4000)
  // The block, and the table: nothing was made for a field.
  expect(sources.size).toBe(2)
})

test('whatever comes, it neither throws nor reads beyond the block', () => {
  const octet = fc.oneof(
    fc.integer({ min: 0, max: 255 }),
    fc.constantFrom(0x82, 0x40, 0x41, 0xbe, 0x7e, 0x00, 0x3f, 0x01),
  )
  const blocks = fc.array(fc.array(octet, { maxLength: 60 }), { maxLength: 6 })
  fc.assert(
    fc.property(blocks, octets => {
      const one = new HpackDecoder(200)
      const other = new HpackDecoder(200)
      for (const block of octets) {
        const buffer = Buffer.from(block)
        const collector = new Collector()
        // The block alone in its buffer: what is read beyond would be undefined, and differ.
        const alone = other.decode(buffer, 0, buffer.length, collector) ? collector.fields : null
        expect(decode(one, buffer)).toEqual(alone)
        if (alone === null) return
      }
    }),
    { numRuns: 3000 },
  )
})
