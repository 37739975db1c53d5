// Ports that nobody listens on, chosen by the kernel, for programs that cannot tell which port they got.

import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'

/** Distinct free ports of 127.0.0.1. They are only free until somebody else takes one: use them at once. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map(server => (server.listening ? null : once(server, 'listening'))))
  const ports = servers.map(server => (server.address() as AddressInfo).port)
  await Promise.all(servers.map(server => once(server.close(), 'close')))
  return ports
}
