import { once } from 'node:events'
import { expect, test } from 'vitest'
import type { AppId } from '../domain/app.ts'
import { AppEvents } from '../reconcile/app-events.ts'
import { LogStreams } from './log-streams.ts'

const app = 'shop' as AppId

test('what another replica has changed is noticed in time', async () => {
  const streams = new LogStreams({ events: new AppEvents('e'), checkInterval: 1 })
  let checks = 0
  using place = streams.enter(app, 'alice', async () => ++checks < 3)
  await once(place.signal, 'abort')
  expect(checks).toBe(3)
})

test('a right that cannot be looked at is none', async () => {
  const events = new AppEvents('e')
  const streams = new LogStreams({ events })
  using place = streams.enter(app, 'alice', async () => {
    throw new Error('no such token')
  })
  expect(place.signal.aborted).toBe(false)
  events.dismiss(app)
  await once(place.signal, 'abort')
})

test('places are given back, once each', () => {
  const streams = new LogStreams({ events: new AppEvents('e') })
  const enter = () => streams.enter(app, 'alice', async () => true)
  const places = Array.from({ length: 10 }, enter)
  expect(enter).toThrow('You follow too many logs already')
  places[0]![Symbol.dispose]()
  places[0]![Symbol.dispose]()
  places.push(enter())
  expect(enter).toThrow('You follow too many logs already')
  for (const place of places) place[Symbol.dispose]()
})
