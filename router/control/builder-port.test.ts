import { expect, test } from 'vitest'
import { createLogger } from '#kit/log.ts'
import { BuilderPort } from './builder-port.ts'

/** A port that can be had when `free`; `open` waits for `gate`. */
function bench(retry = 1) {
  const did: string[] = []
  const logged: string[] = []
  const world = { free: true, gate: Promise.resolve() }
  const log = createLogger({ destination: { write: line => void logged.push(JSON.parse(line).message) } })
  const port = new BuilderPort({
    open: async () => {
      await world.gate
      did.push(world.free ? 'open' : 'refused')
      if (!world.free) throw new Error('taken')
      return 2222
    },
    close: async () => void did.push('close'),
    log,
    retry,
  })
  return { port, did, logged, world }
}

test('§5 open while there is a builder', async () => {
  const { port, did } = bench()
  await port.want(false)
  expect([port.port, did]).toEqual([null, []])
  await port.want(true)
  await port.want(true)
  expect([port.port, did]).toEqual([2222, ['open']])
  await port.want(false)
  expect([port.port, did]).toEqual([null, ['open', 'close']])
})

test('a port that cannot be had is tried again until it can', async () => {
  const { port, did, logged, world } = bench()
  world.free = false
  await port.want(true)
  expect(port.port).toBe(null)
  expect(logged).toEqual(['the port of the builder cannot be had; it is tried again'])
  while (did.length < 3) await new Promise(resolve => setImmediate(resolve))
  world.free = true
  while (port.port === null) await new Promise(resolve => setImmediate(resolve))
  expect(did.at(-1)).toBe('open')
})

test('it is not tried again when nobody wants it any more', async () => {
  const { port, did, world } = bench(0)
  world.free = false
  await port.want(true)
  await port.want(false)
  const tries = did.length
  // The next try would have waited no longer than this, and longer since.
  await new Promise(resolve => setTimeout(resolve, 0))
  expect(did.length).toBe(tries)
})

test('a wish that changes meanwhile is followed in the end', async () => {
  const { port, did, world } = bench()
  const { promise, resolve } = Promise.withResolvers<void>()
  world.gate = promise
  const wants = [port.want(true), port.want(false), port.want(true), port.want(false)]
  resolve()
  await Promise.all(wants)
  expect([port.port, did]).toEqual([null, ['open', 'close']])
})

test('after the end nothing is tried', async () => {
  const { port, did } = bench()
  port.stop()
  await port.want(true)
  expect([port.port, did]).toEqual([null, []])
})
