// Servers that begin and end to listen, with the one line for whoever gave them a port that cannot be had.

import { once } from 'node:events'
import { Server as HttpServer } from 'node:http'
import type { AddressInfo, Server } from 'node:net'
import { exitCode, StartupError } from './exit.ts'

/** Returns the port; 0 has the kernel choose one. Throws a StartupError 69 when the port is taken or is not ours to have. */
export async function listen(server: Server, address: string, port: number): Promise<number> {
  try {
    server.listen(port, address)
    await once(server, 'listening')
  } catch (error) {
    throw new StartupError(exitCode.unavailable, `cannot listen: ${(error as Error).message}`, { cause: error })
  }
  return (server.address() as AddressInfo).port
}

/** Resolves when all its connections have ended; idle ones of HTTP are closed. One that does not listen is closed. */
export async function stopListening(server: Server): Promise<void> {
  if (!server.listening) return
  const closed = once(server, 'close')
  server.close()
  if (server instanceof HttpServer) server.closeIdleConnections()
  await closed
}
