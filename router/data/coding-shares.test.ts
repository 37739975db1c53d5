// Slow compressed downloads hold an encoder each, and all of a thread's encoders share a budget: nobody may take it all.

import { afterEach, expect, test } from 'vitest'
import { get } from '#test/support/app.ts'
import { routeTo, upstreamAt } from '#test/support/data-thread.ts'
import { fieldValue } from '#test/support/http-message.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import type { Peer } from '#test/support/peer.ts'
import { type Stage, setStage } from '#test/support/stage.ts'
import { parseCidr } from '../model/cidr.ts'
import { appCounter, firstAppSlot, rowOffset } from '../model/counters.ts'
import { encodersInUse } from './coding/encoder-budget.ts'

failOnLeaks()
afterEach(() => expect(encodersInUse).toEqual({ count: 0, octets: 0 }))

const refused = ({ thread }: Stage, app: number) =>
  thread.counters[rowOffset(firstAppSlot + app) + appCounter.codingsRefused]!

/** Two apps, whose answers begin and do not end; clients are who X-Forwarded-For says. */
async function stageOfTwo(): Promise<Stage> {
  const stage = await setStage({ apps: 2, settings: { proxyRealIpCidrs: [parseCidr('127.0.0.0/8')!] } })
  stage.thread.apply({
    upstreams: { upserts: ['a', 'b'].map((name, i) => upstreamAt(name, stage.apps[i]!.port)), deletes: [] },
    apps: [
      { app: 'test/a', slot: firstAppSlot },
      { app: 'test/b', slot: firstAppSlot + 1 },
    ],
    routes: { upserts: [routeTo('a.example', 'a'), routeTo('b.example', 'b')], deletes: [] },
  })
  const begun = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\n'
  for (const app of stage.apps) app.serve(() => begun)
  return stage
}

/** Begins downloads; returns those that are compressed. */
async function download(stage: Stage, count: number, host: string, client: string): Promise<readonly Peer[]> {
  const coded: Peer[] = []
  for (let i = 0; i < count; i++) {
    const peer = await stage.connect()
    void peer.send(get(host, '/', 'Accept-Encoding: br', `X-Forwarded-For: ${client}`))
    if (fieldValue(await peer.head(), 'content-encoding') === 'br') coded.push(peer)
  }
  return coded
}

test('a client with slow downloads takes half of what is for those who hold some, and others have theirs', async () => {
  await using stage = await stageOfTwo()
  const mine = await download(stage, 40, 'a.example', '192.0.2.1')
  expect(mine).toHaveLength(19)
  expect([refused(stage, 0), refused(stage, 1)]).toEqual([21, 0])
  // Not in another app either.
  expect(await download(stage, 1, 'b.example', '192.0.2.1')).toHaveLength(0)
  expect(refused(stage, 1)).toBe(1)
  expect(await download(stage, 3, 'a.example', '192.0.2.2')).toHaveLength(3)
  expect(await download(stage, 3, 'b.example', '192.0.2.2')).toHaveLength(3)
  for (const peer of mine) await peer[Symbol.asyncDispose]()
  while (encodersInUse.count > 6) await stage.thread.settle()
  expect(await download(stage, 1, 'a.example', '192.0.2.1')).toHaveLength(1)
})

test('an app with many slow clients takes three quarters, and other apps have theirs', async () => {
  await using stage = await stageOfTwo()
  let coded = 0
  for (let client = 0; client < 12; client++) {
    coded += (await download(stage, 4, 'a.example', `198.51.100.${client}`)).length
  }
  // Clients whose places happen to be the same would still have enough.
  expect(coded).toBe(29)
  expect([refused(stage, 0), refused(stage, 1)]).toEqual([19, 0])
  expect(await download(stage, 4, 'b.example', '203.0.113.1')).toHaveLength(4)
  expect(await download(stage, 1, 'a.example', '203.0.113.2')).toHaveLength(0)
})
