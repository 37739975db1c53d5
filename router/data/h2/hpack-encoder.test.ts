import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import { type AddressInfo, connect } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HpackDecoder } from './hpack-decoder.ts'
import { HpackEncoder, type Indexing, maxBeginLength, maxEncodedLength } from './hpack-encoder.ts'
import { staticIndex } from './hpack-table.ts'

type Field = readonly [name: string, value: string, indexing?: Indexing]

function begin(encoder: HpackEncoder): Buffer {
  const target = Buffer.alloc(maxBeginLength)
  return target.subarray(0, encoder.begin(target, 0))
}

function encode(encoder: HpackEncoder, [name, value, indexing = 'index']: Field): Buffer {
  const source = Buffer.from(`?${name}: ${value}?`, 'latin1')
  const room = maxEncodedLength(name.length, value.length)
  const target = Buffer.alloc(room + 2, 0xee)
  const valueStart = name.length + 3
  const end = encoder.field(target, 1, source, 1, 1 + name.length, valueStart, valueStart + value.length, indexing)
  expect(end).toBeLessThanOrEqual(1 + room)
  expect([target[0], target[end]]).toEqual([0xee, 0xee])
  return target.subarray(1, end)
}

function block(encoder: HpackEncoder, fields: readonly Field[]): Buffer {
  return Buffer.concat([begin(encoder), ...fields.map(field => encode(encoder, field))])
}

function decode(decoder: HpackDecoder, octets: Buffer): readonly Field[] | null {
  const fields: Field[] = []
  const good = decoder.decode(octets, 0, octets.length, {
    onField(source, nameStart, nameEnd, valueStart, valueEnd) {
      fields.push([source.toString('latin1', nameStart, nameEnd), source.toString('latin1', valueStart, valueEnd)])
    },
  })
  return good ? fields : null
}

describe('how a field is written', () => {
  const long = 'x'.repeat(257)
  const rows: readonly (readonly [name: string, field: Field, first: string, again: string])[] = [
    ['a new name and value', ['ab', '!"', 'index'], '40 02 6162 02 2122', 'be'],
    ['in lower case', ['Ab', '!"', 'index'], '40 02 6162 02 2122', 'be'],
    ['a name of the static table', ['Server', '!"', 'index'], '76 02 2122', 'be'],
    ['what changes', ['date', 'aa', 'literal'], '0f 12 02 6161', '0f 12 02 6161'],
    ['what changes, by a new name', ['x-a', 'aa', 'literal'], '00 03 782d61 02 6161', '00 03 782d61 02 6161'],
    ['a secret', ['set-cookie', 'aa', 'never'], '1f 28 02 6161', '1f 28 02 6161'],
    ['a secret, by a new name', ['x-a', 'aa', 'never'], '10 03 782d61 02 6161', '10 03 782d61 02 6161'],
    ['nothing', ['x-a', '', 'literal'], '00 03 782d61 00', '00 03 782d61 00'],
    [
      'what would push out too much',
      ['x-a', long, 'index'],
      `00 03 782d61 7f 82 01 ${'78'.repeat(257)}`,
      `00 03 782d61 7f 82 01 ${'78'.repeat(257)}`,
    ],
  ]
  for (const [name, field, first, again] of rows) {
    test(name, () => {
      const encoder = new HpackEncoder()
      expect(encode(encoder, field).toString('hex')).toBe(first.replaceAll(' ', ''))
      expect(encode(encoder, field).toString('hex')).toBe(again.replaceAll(' ', ''))
    })
  }

  test('with Huffman codes when it enters the table and they are shorter', () => {
    const encoder = new HpackEncoder()
    // RFC 7541 section C.4.2.
    expect(encode(encoder, ['cache-control', 'no-cache']).toString('hex')).toBe('5886a8eb10649cbf')
  })

  test('every name of the static table by its index', () => {
    for (const [name, first] of [
      ['accept', '53'],
      ['vary', '7b'],
      ['www-authenticate', '7d'],
      ['location', '6e'],
    ] as const)
      expect(encode(new HpackEncoder(), [name, '!']).toString('hex')).toBe(`${first}0121`)
  })
})

describe('statuses', () => {
  const rows: readonly (readonly [status: number, first: string, again: string])[] = [
    [200, '88', '88'],
    [204, '89', '89'],
    [206, '8a', '8a'],
    [304, '8b', '8b'],
    [400, '8c', '8c'],
    [404, '8d', '8d'],
    [500, '8e', '8e'],
    [302, '48826402', 'be'],
    [503, '4803353033', 'be'],
  ]
  for (const [status, first, again] of rows) {
    test(`${status}`, () => {
      const encoder = new HpackEncoder()
      for (const want of [first, again]) {
        const target = Buffer.alloc(maxEncodedLength(7, 3))
        const octets = target.subarray(0, encoder.status(target, 0, status))
        expect(octets.toString('hex')).toBe(want)
        expect(decode(new HpackDecoder(4096), octets)?.[0]?.[1] ?? 'by reference').toBe(
          want === 'be' ? 'by reference' : String(status),
        )
      }
    })
  }
})

test('a pseudo-field whose value stands elsewhere', () => {
  const encoder = new HpackEncoder()
  const source = Buffer.from('GET /sample/path HTTP/1.1')
  const target = Buffer.alloc(64)
  let at = encoder.indexed(target, 0, staticIndex.methodGet)
  at = encoder.named(target, at, staticIndex.path, source, 4, 16, 'literal')
  expect(target.toString('hex', 0, at)).toBe('82040c2f73616d706c652f70617468')
})

describe('size of the table', () => {
  const field: Field = ['a', 'b']
  /** `sizes` are set between two blocks that bring the same field. */
  const rows: readonly (readonly [name: string, sizes: readonly number[], update: string, fields: string])[] = [
    ['as it was', [4096], '', 'be'],
    ['a larger one is not used', [65_536], '', 'be'],
    ['smaller', [100], '3f45', 'be'],
    ['smaller than the entry', [33], '3f02', '0001610162'],
    ['none', [0], '20', '0001610162'],
    ['none, and then as before', [0, 4096], '203fe11f', '4001610162'],
    ['smaller and smaller', [100, 50], '3f13', 'be'],
    ['less, and then a bit more', [40, 100], '3f093f45', 'be'],
    ['the same in the end', [4096, 4096], '', 'be'],
  ]
  for (const [name, sizes, update, fields] of rows) {
    test(name, () => {
      const encoder = new HpackEncoder()
      const decoder = new HpackDecoder(4096)
      decode(decoder, block(encoder, [field]))
      for (const size of sizes) encoder.setMaxTableSize(size)
      const octets = block(encoder, [field])
      expect(octets.toString('hex')).toBe(update + fields)
      expect(decode(decoder, octets)).toEqual([['a', 'b']])
      // It is said once.
      expect(begin(encoder).length).toBe(0)
    })
  }
})

test('what was encoded is decoded, block for block, whatever the peer does with its table', () => {
  // Few names and values, so that the same come again.
  const name = fc.oneof(
    fc.constantFrom('server', 'Content-Type', 'X-A', 'x-b', 'date', 'etag', 'via', ''),
    fc.string({ maxLength: 40 }),
  )
  const value = fc.oneof(
    fc.constantFrom('', 'text/html', 'a', 'b', '\xff\x00\r\n', 'y'.repeat(255), 'z'.repeat(256)),
    fc.uint8Array({ maxLength: 400 }).map(octets => Buffer.from(octets).toString('latin1')),
  )
  const indexing = fc.constantFrom<Indexing>('index', 'index', 'index', 'literal', 'never')
  const message = fc.record({
    sizes: fc.array(fc.constantFrom(0, 34, 100, 300, 1000, 4096, 10_000), { maxLength: 2 }),
    fields: fc.array(fc.tuple(name, value, indexing), { maxLength: 20 }),
  })
  fc.assert(
    fc.property(fc.array(message, { maxLength: 12 }), messages => {
      const encoder = new HpackEncoder()
      const decoder = new HpackDecoder(4096)
      for (const { sizes, fields } of messages) {
        for (const size of sizes) encoder.setMaxTableSize(size)
        const want = fields.map(([name, value]) => [name.replace(/[A-Z]/g, letter => letter.toLowerCase()), value])
        expect(decode(decoder, block(encoder, fields))).toEqual(want)
      }
    }),
    { numRuns: 300 },
  )
})

/** Frames of a raw HTTP/2 connection, as much of RFC 9113 as a test of header blocks needs. */
class RawClient implements AsyncDisposable {
  readonly socket
  #received = Buffer.alloc(0)
  #wake: () => void = () => {}

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1' })
    this.socket.on('data', (octets: Buffer) => {
      this.#received = Buffer.concat([this.#received, octets])
      this.#wake()
    })
    this.socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    this.send(4, 0, 0, Buffer.alloc(0))
  }

  send(type: number, flags: number, stream: number, payload: Buffer): void {
    const head = Buffer.alloc(9)
    head.writeUIntBE(payload.length, 0, 3)
    head[3] = type
    head[4] = flags
    head.writeUInt32BE(stream, 5)
    this.socket.write(Buffer.concat([head, payload]))
  }

  /** The next frame of this type; settings are acknowledged on the way. */
  async frame(type: number): Promise<Buffer> {
    for (;;) {
      const length = this.#received.length < 9 ? Infinity : this.#received.readUIntBE(0, 3)
      if (this.#received.length < 9 + length) {
        await new Promise<void>(resolve => {
          this.#wake = resolve
        })
        continue
      }
      const frame = this.#received.subarray(0, 9 + length)
      this.#received = this.#received.subarray(9 + length)
      if (frame[3] === 4 && frame[4] === 0) this.send(4, 1, 0, Buffer.alloc(0))
      if (frame[3] === type) return frame.subarray(9)
      if (frame[3] === 3 || frame[3] === 7) throw new Error(`refused: ${frame.toString('hex')}`)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy()
  }
}

describe("with Node's server, which uses nghttp2", () => {
  const pseudo: readonly Field[] = [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', 'a.example'],
  ]
  const printable = String.fromCharCode(...Array.from({ length: 94 }, (_, i) => i + 33))
  // Letters around them make the Huffman codes of the whole shorter than its octets.
  const rare = [...printable, ...Array.from({ length: 128 }, (_, i) => String.fromCharCode(i + 128))]
  const requests: readonly (readonly Field[])[] = [
    [...pseudo, ['x-a', 'b']],
    [...pseudo, ['x-a', 'b'], ['authorization', 'secret', 'never'], ['x-date', 'now', 'literal']],
    ...rare.map((octet): readonly Field[] => [...pseudo, ['x-a', `${'e'.repeat(40)}${octet}e`]]),
    [...pseudo, ...Array.from({ length: 120 }, (_, i): Field => [`x-${i}`, `${i}`])],
    [...pseudo, ['x-a', 'b']],
    [...pseudo, ['x-long', 'c'.repeat(5000), 'index']],
  ]

  for (const tableSize of [4096, 100, 0]) {
    test(`it reads what we write, and we read what it writes; its table has ${tableSize} octets`, async () => {
      const seen: IncomingHttpHeaders[] = []
      const server = createServer({ settings: { headerTableSize: tableSize } })
      server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
        seen.push(headers)
        const echo = Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('x-')))
        stream.respond({ ':status': 200, server: 'test', 'content-type': 'text/plain', ...echo }, { endStream: true })
      })
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      await using client = new RawClient((server.address() as AddressInfo).port)
      const encoder = new HpackEncoder()
      const decoder = new HpackDecoder(4096)
      await client.frame(4)
      encoder.setMaxTableSize(tableSize)
      for (const [i, fields] of requests.entries()) {
        // END_STREAM and END_HEADERS.
        client.send(1, 5, 2 * i + 1, block(encoder, fields))
        const answered = decode(decoder, await client.frame(1))
        const own = fields.filter(([name]) => name.startsWith('x-')).map(([name, value]) => [name, value])
        expect(answered?.filter(([name]) => name.startsWith('x-'))).toEqual(own)
        expect(answered?.filter(([name]) => name === ':status' || name === 'server')).toEqual([
          [':status', '200'],
          ['server', 'test'],
        ])
        for (const [name, value] of fields) expect(seen[i]?.[name]).toBe(value)
      }
      server.close()
    })
  }
})
