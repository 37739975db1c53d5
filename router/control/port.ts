// Ports that we cannot have, said so that the person who started us can act on it.

import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { exitCode, StartupError } from '#kit/exit.ts'

export interface Port {
  /** The flag that sets it, such as `--http-port`. */
  readonly flag: string
  readonly address: string
  readonly number: number
}

/** Why listening failed, with exit code 69. */
export function listenError({ flag, address, number }: Port, code: string): StartupError {
  return new StartupError(
    exitCode.unavailable,
    `cannot listen on ${address} port ${number} (${flag}): ${advice(code, number)}`,
  )
}

function advice(code: string, number: number): string {
  switch (code) {
    case 'EADDRINUSE':
      return `another process has it; "ss -ltnp sport = :${number}" shows which`
    case 'EACCES':
      return 'ports this low take root or CAP_NET_BIND_SERVICE; choose one above 1023'
    case 'EADDRNOTAVAIL':
      return 'this machine does not have that address (--address)'
    default:
      return code
  }
}

/**
 * Listens for a moment without SO_REUSEPORT: with it, a foreign process that uses SO_REUSEPORT too would share the port
 * with us, and its clients would be ours at random. Throws StartupError 69 when the port cannot be had.
 */
export async function probePort(port: Port): Promise<void> {
  if (port.number === 0) return
  const server = createServer()
  try {
    server.listen({ host: port.address, port: port.number, exclusive: true })
    await once(server, 'listening')
  } catch (error) {
    throw listenError(port, (error as NodeJS.ErrnoException).code ?? String(error))
  }
  server.close()
  await once(server, 'close')
}

/** A port that nobody has at the moment. */
export async function choosePort(address: string): Promise<number> {
  const server = createServer()
  server.listen({ host: address, port: 0, exclusive: true })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
