import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { ConnectionError, send } from './transport.ts'

test('a proxy that never answers is given up as a host that never does', async () => {
  const sockets: Socket[] = []
  const proxy = createServer(socket => sockets.push(socket.on('error', () => {}).resume()))
  await once(proxy.listen(0, '127.0.0.1'), 'listening')
  const env = { https_proxy: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` }
  const request = { scheme: 'https', hostname: 'deis.example.com', port: 443, method: 'GET', path: '/v2/' } as const
  const way = { env, sslVerify: true, signal: new AbortController().signal, patience: 50 }
  const error: unknown = await send({ ...request, headers: {}, body: null }, way).catch(cause => cause)
  expect(error).toBeInstanceOf(ConnectionError)
  expect((error as ConnectionError).cause).toMatchObject({ code: 'ETIMEDOUT' })
  for (const socket of sockets) socket.destroy()
  proxy.close()
})
