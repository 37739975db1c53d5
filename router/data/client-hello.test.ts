import { once } from 'node:events'
import { duplexPair } from 'node:stream'
import { connect } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { longestHello, parseClientHello } from './client-hello.ts'

/** The first octets of Node's own handshake. */
async function helloOf(options: { readonly servername?: string; readonly ALPNProtocols?: string[] }): Promise<Buffer> {
  const [near, far] = duplexPair()
  const client = connect({ socket: near, rejectUnauthorized: false, ...options })
  client.on('error', () => {})
  const [octets] = (await once(far, 'data')) as [Buffer]
  client.destroy()
  far.destroy()
  return octets
}

const read = (octets: Buffer) => parseClientHello(octets, 0, octets.length)

/** The message of one record in records of `size`. */
function inRecords(octets: Buffer, size: number): Buffer {
  const body = octets.subarray(5)
  const records: Buffer[] = []
  for (let at = 0; at < body.length; at += size) {
    const part = body.subarray(at, at + size)
    records.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part)
  }
  return Buffer.concat(records)
}

describe('what a client of Node says', () => {
  for (const [name, servername, want] of [
    ['a name', 'a.example', 'a.example'],
    ['capitals, as they stand', 'A.Example', 'A.Example'],
    ['no name', '', null],
  ] as const) {
    test(name, async () => {
      const octets = await helloOf({ servername, ALPNProtocols: ['h2', 'http/1.1'] })
      expect(read(octets)).toEqual({ kind: 'hello', serverName: want })
      // Behind other octets, and with others behind it.
      const amid = Buffer.concat([Buffer.alloc(7, 22), octets, Buffer.alloc(9)])
      expect(parseClientHello(amid, 7, amid.length)).toEqual({ kind: 'hello', serverName: want })
    })
  }

  test('in pieces, at every length', async () => {
    const octets = await helloOf({ servername: 'a.example' })
    for (let length = 0; length < octets.length; length++)
      expect(read(octets.subarray(0, length)).kind, `${length} octets`).toBe('incomplete')
  })

  test('in records of every size', async () => {
    const octets = await helloOf({ servername: 'a.example' })
    for (const size of [1, 2, 3, 4, 5, 100, octets.length]) {
      const cut = inRecords(octets, size)
      expect(read(cut)).toEqual({ kind: 'hello', serverName: 'a.example' })
      expect(read(cut.subarray(0, -1)).kind).toBe('incomplete')
    }
  })

  test('changed in any octet it is something, and nothing else', async () => {
    const octets = await helloOf({ servername: 'a.example' })
    for (let at = 0; at < octets.length; at++) {
      for (const value of [0, 1, 0x7f, 0xff]) {
        const changed = Buffer.from(octets)
        changed[at] = value
        expect(['hello', 'incomplete', 'other']).toContain(read(changed).kind)
      }
    }
  })
})

describe('what is none', () => {
  const rows: readonly (readonly [name: string, octets: Buffer, kind: string])[] = [
    ['nothing yet', Buffer.alloc(0), 'incomplete'],
    ['plain HTTP', Buffer.from('GET / HTTP/1.1\r\n'), 'other'],
    ['SSL 2', Buffer.from([0x80, 0x2e, 1, 0, 2]), 'other'],
    ['another handshake message', Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0]), 'other'],
    ['an alert', Buffer.from([21, 3, 1, 0, 2, 1, 0]), 'other'],
    ['an empty record', Buffer.from([22, 3, 1, 0, 0]), 'other'],
    ['a record that is too long', Buffer.from([22, 3, 1, 0x40, 1, 1, 0, 0, 4]), 'other'],
    ['a message that is too long', Buffer.from([22, 3, 1, 0, 4, 1, 0, longestHello >> 8, 0xff]), 'other'],
    ['an empty message', Buffer.from([22, 3, 1, 0, 4, 1, 0, 0, 0]), 'other'],
  ]
  for (const [name, octets, kind] of rows) test(name, () => expect(read(octets).kind).toBe(kind))
})
