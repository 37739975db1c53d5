// Reading of accepted connections into the thread's one buffer, as `onread` of `net.connect` does for those we open.
// Node has no such option for accepted sockets, so this sets the three fields that the option would have set. They are
// found by name once; a Node that has renamed them costs speed only: then every read brings a buffer of its own.

import { Socket } from 'node:net'

interface Handle {
  useUserBuffer?(buffer: Uint8Array): void
  /** Octets that were given to the handle, and those of them that wait in it. */
  readonly bytesWritten?: number
  readonly writeQueueSize?: number
}

const fields = Object.getOwnPropertySymbols(new Socket())
const bufferField = fields.find(field => field.description === 'kBuffer')
const callbackField = fields.find(field => field.description === 'kBufferCb')

/**
 * From now on `onRead(octets, buffer)` is called for what comes; the octets are valid during the call only, and false
 * stops reading until `socket.resume()`. Reading begins with `socket.resume()`. Who calls it again for a socket takes
 * over from who did before, also from within `onRead`.
 */
export function readInto(socket: Socket, buffer: Buffer, onRead: (octets: number, buffer: Buffer) => boolean): void {
  const internals = socket as unknown as Record<symbol, unknown> & { readonly _handle?: Handle | null }
  const handle = internals._handle
  if (bufferField !== undefined && callbackField !== undefined && handle?.useUserBuffer !== undefined) {
    internals[callbackField] = onRead
    if (internals[bufferField] === buffer) return
    internals[bufferField] = buffer
    handle.useUserBuffer(buffer)
    return
  }
  socket.removeAllListeners('data')
  socket.on('data', (chunk: Buffer) => {
    if (!onRead(chunk.length, chunk)) socket.pause()
  })
  socket.pause()
}

/** Octets of what was written to the socket that the kernel has taken so far. */
export function octetsTaken(socket: Socket): number {
  const handle = (socket as unknown as { readonly _handle?: Handle | null })._handle
  return (handle?.bytesWritten ?? 0) - (handle?.writeQueueSize ?? 0)
}
