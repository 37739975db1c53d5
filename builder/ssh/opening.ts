// The PROXY header that a connection begins with, where the router is told to send one: the client's address.

import type { Socket } from 'node:net'
import { maxHeaderLength, parseProxyHeader } from '#kit/proxy-protocol.ts'

/** Null when there is no valid header. The octets behind it are in the socket again, which is paused. */
export function readProxyHeader(socket: Socket): Promise<{ readonly source: string | null } | null> {
  const { promise, resolve } = Promise.withResolvers<{ readonly source: string | null } | null>()
  let buffer: Buffer = Buffer.alloc(0)
  const done = (result: { readonly source: string | null } | null): void => {
    socket.off('data', onData).off('end', onEnd).off('close', onEnd)
    socket.pause()
    resolve(result)
  }
  const onEnd = (): void => done(null)
  const onData = (octets: Buffer): void => {
    buffer = Buffer.concat([buffer, octets])
    const header = parseProxyHeader(buffer, 0, buffer.length)
    if (header.kind === 'header') {
      if (buffer.length > header.length) socket.unshift(buffer.subarray(header.length))
      done({ source: header.source })
    } else if (header.kind === 'invalid' || buffer.length > maxHeaderLength) done(null)
  }
  socket.on('data', onData).on('end', onEnd).on('close', onEnd)
  return promise
}
