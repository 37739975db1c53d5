// The pods of the change and memory benches in one process: `node pods-server.ts ADDRESS` listens on two ports of
// ADDRESS, A and B, and prints them as one line of JSON. What they answer: `app-server.ts`.

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createApp } from './app-server.ts'

const address = process.argv[2] ?? '127.0.0.1'
const servers = await Promise.all(
  ['A', 'B'].map(async letter => {
    const server = createApp(letter)
    await once(server.listen(0, address), 'listening')
    return server
  }),
)
console.log(JSON.stringify(servers.map(server => (server.address() as AddressInfo).port)))
