// Entry of a data thread; wiring only.

import { parentPort, workerData } from 'node:worker_threads'
import { collectGarbage } from '#kit/collect-garbage.ts'
import type { Begin, DataThreadOptions, ToData } from '../model/message.ts'
import { DataThread } from './thread.ts'

if (parentPort === null) throw new Error('router/data/main.ts runs as a worker thread')
const port = parentPort
let thread: DataThread | null = null

function begin(options: DataThreadOptions): void {
  thread = new DataThread(options, (message, transfer) => port.postMessage(message, [...transfer]))
  // What the thread started from changes with every patch: the first state of it is not to be kept for good.
  delete (options as { world?: unknown }).world
  collectGarbage()
  void thread.listen()
}

port.on('message', (message: Begin | ToData) => {
  if (message.kind === 'begin') begin(message.options)
  else thread?.onMessage(message)
})
if (workerData !== null) begin(workerData as DataThreadOptions)
