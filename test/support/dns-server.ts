// A name server on 127.0.0.1 that answers what the test says (RFC 1035), for A and AAAA over UDP.

import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv4 } from 'node:net'

export interface DnsRecord {
  readonly address: string
  /** Seconds. */
  readonly ttl: number
}

/** What a name stands for: its records, or that something is wrong with it; `silent`: no answer at all. */
export type DnsAnswer = readonly DnsRecord[] | 'servfail' | 'silent'

const types = { a: 1, aaaa: 28 } as const
const responseCodes = { ok: 0, servfail: 2, nxdomain: 3 } as const

export class DnsServer implements AsyncDisposable {
  /** By name, lower case; a name that is not there does not exist. */
  readonly names = new Map<string, DnsAnswer>()
  /** Questions of this type are answered with SERVFAIL. */
  failing: 'A' | 'AAAA' | null = null
  /** The questions so far: `A name`, `AAAA name`. */
  readonly questions: string[] = []
  readonly #socket: Socket

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('message', (message, from) => {
      const answer = this.#answer(message)
      if (answer !== null) socket.send(answer, from.port, from.address)
    })
  }

  static async start(): Promise<DnsServer> {
    const socket = createSocket('udp4')
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    return new DnsServer(socket)
  }

  /** For `Resolver.setServers`. */
  get address(): string {
    return `127.0.0.1:${this.#socket.address().port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#socket, 'close')
    this.#socket.close()
    await closed
  }

  #answer(query: Buffer): Buffer | null {
    const { name, end } = readName(query, 12)
    const type = query.readUInt16BE(end)
    const typeName = type === types.a ? 'A' : 'AAAA'
    this.questions.push(`${typeName} ${name}`)
    const known = typeName === this.failing ? 'servfail' : (this.names.get(name) ?? null)
    if (known === 'silent') return null
    const records = known === null || known === 'servfail' ? [] : known
    const matching = records.filter(({ address }) => isIPv4(address) === (type === types.a))
    const code = known === null ? responseCodes.nxdomain : known === 'servfail' ? responseCodes.servfail : 0
    const head = Buffer.alloc(12)
    query.copy(head, 0, 0, 2)
    // A response, recursion desired and available.
    head.writeUInt16BE(0x8180 | code, 2)
    head.writeUInt16BE(1, 4)
    head.writeUInt16BE(matching.length, 6)
    return Buffer.concat([head, query.subarray(12, end + 4), ...matching.map(record => recordOf(type, record))])
  }
}

function readName(message: Buffer, start: number): { readonly name: string; readonly end: number } {
  const labels: string[] = []
  let at = start
  for (let length = message[at]!; length > 0; length = message[at]!) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 }
}

function recordOf(type: number, { address, ttl }: DnsRecord): Buffer {
  const data = type === types.a ? Buffer.from(address.split('.').map(Number)) : bytesOfIpv6(address)
  const head = Buffer.alloc(12)
  // The name of the question, which begins behind the header.
  head.writeUInt16BE(0xc00c, 0)
  head.writeUInt16BE(type, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt32BE(ttl, 6)
  head.writeUInt16BE(data.length, 10)
  return Buffer.concat([head, data])
}

function bytesOfIpv6(address: string): Buffer {
  const [left = '', right] = address.split('::')
  const groups = (text: string): number[] =>
    text === '' ? [] : text.split(':').map(group => Number.parseInt(group, 16))
  const [before, after] = [groups(left), groups(right ?? '')]
  const all = right === undefined ? before : [...before, ...Array(8 - before.length - after.length).fill(0), ...after]
  const bytes = Buffer.alloc(16)
  for (const [index, group] of all.entries()) bytes.writeUInt16BE(group, index * 2)
  return bytes
}
