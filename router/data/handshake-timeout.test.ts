// What this Node makes of `handshakeTimeout`: the whole handshake has to be done in time, however busy the client seems. A
// Node that counted silence only would let a client hold a handshake open with an octet now and then.

import { once } from 'node:events'
import { connect, createServer as createPlainServer, type Socket } from 'node:net'
import { duplexPair } from 'node:stream'
import { connect as connectTls, createServer } from 'node:tls'
import { expect, test } from 'vitest'
import { fallbackCertificate } from '#test/support/certificates.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { handshakeOptions } from './tls-options.ts'

failOnLeaks()

const { chain, key } = fallbackCertificate()

/** A server as the terminator makes it, but for its patience; resolves with the code of the first failure. */
async function withServer(use: (port: number, failure: Promise<string>) => Promise<void>): Promise<void> {
  const server = createServer({ ...handshakeOptions, handshakeTimeout: 200, cert: chain, key })
  const failed = Promise.withResolvers<string>()
  server.on('tlsClientError', (error, socket) => {
    failed.resolve((error as NodeJS.ErrnoException).code ?? '')
    socket.destroy()
  })
  const plain = createPlainServer({ pauseOnConnect: true }, socket => server.emit('connection', socket))
  plain.listen(0, '127.0.0.1')
  await once(plain, 'listening')
  try {
    await use((plain.address() as { port: number }).port, failed.promise)
  } finally {
    plain.close()
    await once(plain, 'close')
  }
}

/** Sends one octet after the other, 10 ms apart, until the connection ends. */
async function drip(socket: Socket, octets: Buffer): Promise<void> {
  socket.on('error', () => {})
  let at = 0
  const dripping = setInterval(() => {
    if (at < octets.length) socket.write(octets.subarray(at, ++at))
  }, 10)
  // Not `once` of Node, which rejects on an error: a server that goes with octets unread resets the connection.
  const { promise, resolve } = Promise.withResolvers<void>()
  socket.resume().once('close', () => resolve())
  await promise
  clearInterval(dripping)
}

async function helloOf(): Promise<Buffer> {
  const [near, far] = duplexPair()
  const client = connectTls({ socket: near, servername: 'a.example', rejectUnauthorized: false })
  client.on('error', () => {})
  const [hello] = (await once(far, 'data')) as [Buffer]
  client.destroy()
  far.destroy()
  return hello
}

test('a hello that comes an octet at a time does not take longer than a silent one', () =>
  withServer(async (port, failure) => {
    await drip(connect(port, '127.0.0.1'), await helloOf())
    expect(await failure).toBe('ERR_TLS_HANDSHAKE_TIMEOUT')
  }))

test('nor does an answer to the hello of the server', () =>
  withServer(async (port, failure) => {
    const socket = connect(port, '127.0.0.1')
    socket.write(await helloOf())
    await once(socket, 'data')
    // The head of a record, and some of what it is to hold.
    await drip(socket, Buffer.from([23, 3, 3, 0, 200, ...new Array<number>(100).fill(7)]))
    expect(await failure).toBe('ERR_TLS_HANDSHAKE_TIMEOUT')
  }))
