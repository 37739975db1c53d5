// Entry of a data thread; wiring only.

import { parentPort, workerData } from 'node:worker_threads'
import type { DataThreadOptions, ToData } from '../model/message.ts'
import { DataThread } from './thread.ts'

if (parentPort === null) throw new Error('router/data/main.ts runs as a worker thread')
const port = parentPort
const thread = new DataThread(workerData as DataThreadOptions, (message, transfer) =>
  port.postMessage(message, [...transfer]),
)
// What the thread started from changes with every patch: the first state of it is not to be kept for good.
delete (workerData as { world?: unknown }).world
port.on('message', (message: ToData) => thread.onMessage(message))
await thread.listen()
