import { once } from 'node:events'
import { expect, test } from 'vitest'
import { SpareWorkers } from './spare-workers.ts'

const module = (source: string): URL => new URL(`data:text/javascript,${encodeURIComponent(source)}`)
const echo = module(`
  import { parentPort } from 'node:worker_threads'
  parentPort.on('message', message => parentPort.postMessage(message))`)

test('each is handed out once, and hears what was said before it ran', async () => {
  const spare = new SpareWorkers(echo)
  spare.prepare(1)
  const worker = spare.take()!
  worker.postMessage('begin')
  expect((await once(worker, 'message'))[0]).toBe('begin')
  expect(spare.take()).toBe(null)
  await worker.terminate()
})

test('one that died is not handed out', async () => {
  const spare = new SpareWorkers(module('throw new Error("broken")'))
  spare.prepare(1)
  while (spare.size > 0) await new Promise(resolve => setTimeout(resolve, 5))
  expect(spare.take()).toBe(null)
})

test('those that nobody took end', async () => {
  const spare = new SpareWorkers(echo)
  spare.prepare(2)
  await spare.end()
  expect(spare.take()).toBe(null)
})
