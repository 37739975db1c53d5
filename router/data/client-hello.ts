// The server name that a client asks for, from the first octets of its handshake (RFC 8446 sections 4.1.2 and 5.1, RFC 6066
// section 3). Pure: octets in, a verdict out. Only where to send a connection is decided by it: whatever it makes of
// odd octets, the TLS library has the last word on them.

export type ClientHello =
  /** So far so good; ask again when there is more. */
  | { readonly kind: 'incomplete' }
  /** No handshake, or none that can be read. */
  | { readonly kind: 'other' }
  /** Null: it names no server. */
  | { readonly kind: 'hello'; readonly serverName: string | null }

const incomplete: ClientHello = { kind: 'incomplete' }
const other: ClientHello = { kind: 'other' }

/** A longer message is left to the library, which takes no more than this either. */
export const longestHello = 16_384

const handshakeRecord = 22
const clientHello = 1
const serverNameExtension = 0
const hostNameType = 0

/** Reads the message that the octets `[start, end)` of a connection begin with. */
export function parseClientHello(buffer: Buffer, start: number, end: number): ClientHello {
  const message = messageOf(buffer, start, end)
  return Buffer.isBuffer(message) ? parseMessage(message) : message
}

/** The body of the first handshake message, put together from the records that it comes in. */
function messageOf(buffer: Buffer, start: number, end: number): Buffer | ClientHello {
  const fragments: Buffer[] = []
  let gathered = 0
  let needed = 4
  for (let at = start; gathered < needed; ) {
    if (at < end && buffer[at] !== handshakeRecord) return other
    if (end - at < 5) return incomplete
    const length = buffer.readUInt16BE(at + 3)
    if (buffer[at + 1] !== 3 || length === 0 || length > longestHello) return other
    const fragment = buffer.subarray(at + 5, Math.min(at + 5 + length, end))
    fragments.push(fragment)
    gathered += fragment.length
    if (needed === 4 && gathered >= 4) {
      const head = fragments.length === 1 ? fragment : Buffer.concat(fragments)
      if (head[0] !== clientHello) return other
      needed = 4 + head.readUIntBE(1, 3)
      if (needed > longestHello) return other
    }
    if (fragment.length < length && gathered < needed) return incomplete
    at += 5 + length
  }
  const whole = fragments.length === 1 ? fragments[0]! : Buffer.concat(fragments)
  return whole.subarray(4, needed)
}

function parseMessage(message: Buffer): ClientHello {
  try {
    // Version and random; then session id, cipher suites and compression methods, each behind its length.
    let at = 34
    at += 1 + message.readUInt8(at)
    at += 2 + message.readUInt16BE(at)
    at += 1 + message.readUInt8(at)
    if (at >= message.length) return { kind: 'hello', serverName: null }
    const end = at + 2 + message.readUInt16BE(at)
    if (end !== message.length) return other
    for (at += 2; at < end; ) {
      const type = message.readUInt16BE(at)
      const length = message.readUInt16BE(at + 2)
      at += 4
      if (at + length > end) return other
      if (type === serverNameExtension)
        return { kind: 'hello', serverName: hostName(message.subarray(at, at + length)) }
      at += length
    }
    return { kind: 'hello', serverName: null }
  } catch (error) {
    // It reads on behind its end.
    if (error instanceof RangeError) return other
    throw error
  }
}

/** Of the list in the extension the first host name, as it stands. */
function hostName(list: Buffer): string | null {
  const end = 2 + list.readUInt16BE(0)
  for (let at = 2; at < end; ) {
    const type = list.readUInt8(at)
    const length = list.readUInt16BE(at + 1)
    const name = list.subarray(at + 3, at + 3 + length)
    if (name.length < length) return null
    if (type === hostNameType) return name.toString('latin1')
    at += 3 + length
  }
  return null
}
