// The builder's port: raw octets to the builder (contract section 5).

import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, expect } from 'vitest'
import { connectTo, type Peer } from '#test/support/peer.ts'
import { contract, type Row } from './contract.ts'
import { type App, app, type Given } from './given.ts'
import { ownAddress } from './stage.ts'

// The port opens and closes while the router runs, so that it has to have a number that nobody else takes meanwhile.
const host = ownAddress()
const builderPort = 2222

/** Says `builder` to who connects, then echoes. */
const builder = createServer({ allowHalfOpen: true }, (socket: Socket) => {
  socket.on('error', () => {})
  socket.write('SSH-2.0-builder\r\n')
  socket.on('data', (octets: Buffer) => socket.write(octets))
  socket.on('end', () => socket.end('bye'))
})
let pods: readonly Given[] = []
beforeAll(async () => {
  builder.listen(0, '127.0.0.1')
  await once(builder, 'listening')
  const { port } = builder.address() as { port: number }
  const slice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { namespace: 'deis', name: 'deis-builder-x', labels: { 'kubernetes.io/service-name': 'deis-builder' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready: true } }],
    ports: [{ name: 'ssh', port, protocol: 'TCP' }],
  }
  pods = [slice]
})
afterAll(async () => {
  builder.close()
  await once(builder, 'close')
})

function builderService(keys: Readonly<Record<string, string>> = {}): App {
  const ports = [{ name: 'ssh', port: 2222, targetPort: 2223 }]
  return { ...app('deis/deis-builder', keys, { pods: 'none', ports }), labels: {} }
}

async function connected(first?: string): Promise<Peer> {
  return connectTo(builderPort, { host, ...(first !== undefined && { first }) })
}

const greeting = 'SSH-2.0-builder\r\n'
const proxied = 'PROXY TCP4 192.0.2.7 192.0.2.8 40000 2222\r\n'

async function talks(first?: string): Promise<void> {
  await using client = await connected(first)
  expect((await client.queue.takeThrough('\r\n')).toString('latin1')).toBe(greeting)
  await client.send('\x00\xffraw\r\n')
  expect((await client.queue.take(7)).toString('latin1')).toBe('\x00\xffraw\r\n')
  client.end()
  expect((await client.queue.takeAll()).toString('latin1')).toBe('bye')
}

const rows: readonly Row[] = [
  {
    row: '§5.3 closed without the Service, open with it, closed again',
    run: async stage => {
      await stage.set({}, [])
      await expect(connected()).rejects.toThrow('ECONNREFUSED')
      await stage.set({}, [builderService(), ...pods])
      await talks()
      await stage.set({}, pods)
      await expect(connected()).rejects.toThrow('ECONNREFUSED')
    },
  },
  {
    row: '§5.1 octets both ways, and each end on its own',
    run: async stage => {
      await stage.set({}, [builderService(), ...pods])
      await talks()
    },
  },
  {
    row: '§5.1 a megabyte through and back',
    run: async stage => {
      await stage.set({}, [builderService(), ...pods])
      await using client = await connected()
      await client.queue.takeThrough('\r\n')
      const sent = Buffer.alloc(1024 * 1024, 'git push ')
      void client.send(sent)
      expect((await client.queue.take(sent.length)).equals(sent)).toBe(true)
    },
  },
  {
    row: '§5.1 a Service of that name elsewhere is none',
    run: async stage => {
      await stage.set({}, [{ ...builderService(), namespace: 'other' }, ...pods])
      await expect(connected()).rejects.toThrow('ECONNREFUSED')
    },
  },
  {
    row: '§5.2 the header is taken off',
    run: async stage => {
      await stage.set({ useProxyProtocol: 'true', proxyRealIpCidrs: '127.0.0.0/8' }, [builderService(), ...pods])
      await talks(proxied)
    },
  },
  {
    row: '§5.2 without a header: closed without an octet',
    run: async stage => {
      await stage.set({ useProxyProtocol: 'true' }, [builderService(), ...pods])
      await using client = await connected('SSH-2.0-client\r\n')
      await client.ended()
      expect(await client.queue.takeAll()).toHaveLength(0)
    },
  },
  {
    row: '§5.4 whitelists do not matter',
    run: async stage => {
      await stage.set({ enforceWhitelists: 'true', defaultWhitelist: '192.0.2.1' }, [builderService(), ...pods])
      await talks()
    },
  },
  {
    row: '§5.5 silence for longer than tcpTimeout',
    run: async stage => {
      await stage.set({}, [builderService({ 'nginx.tcpTimeout': '1s' }), ...pods])
      await using client = await connected()
      await client.queue.takeThrough('\r\n')
      await client.ended()
    },
  },
  {
    row: '§5.1 no pod: the connection is closed',
    run: async stage => {
      await stage.set({}, [builderService()])
      await using client = await connected()
      await client.ended()
      expect(await client.queue.takeAll()).toHaveLength(0)
    },
  },
]

contract([{ name: 'builder', rows }], { host, args: ['--builder-port', String(builderPort)] })
