// The limit of request bodies (contract sections 4 and 9).

import { expect, test } from 'vitest'
import type { Policy } from '#router/model/route.ts'
import { ok } from '#test/support/app.ts'
import { defaultSettings, routeTo } from '#test/support/data-thread.ts'
import { fieldValue, fieldValues } from '#test/support/http-message.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { setStage } from '#test/support/stage.ts'

failOnLeaks()

const post = (host: string, ...fields: readonly string[]): string =>
  `POST / HTTP/1.1\r\nHost: ${host}\r\n${fields.map(field => `${field}\r\n`).join('')}\r\n`
const maintenance: Policy = { kind: 'maintenance' }
const enforce: Policy = { kind: 'enforce-https', exceptChallenges: false }

test('a declared length above the limit is 413 before the app hears of it', async () => {
  await using stage = await setStage({ settings: { bodySize: 10, requestIds: true } })
  const client = await stage.connect()
  client.send(post('a.example', 'Content-Length: 11', 'Expect: 100-continue'))
  const response = await client.response()
  expect([response.status, fieldValue(response, 'connection')]).toEqual([413, 'close'])
  expect(fieldValues(response, 'x-request-id')).toHaveLength(1)
  expect(stage.app.accepted).toBe(0)
})

test('a body as long as the limit passes, declared or chunked', async () => {
  await using stage = await setStage({ settings: { bodySize: 10 } })
  stage.app.serve(request => ok(request.body.toString()))
  const client = await stage.connect()
  client.send(`${post('a.example', 'Content-Length: 10')}0123456789`)
  expect((await client.response()).body.toString()).toBe('0123456789')
  client.send(`${post('a.example', 'Transfer-Encoding: chunked')}5\r\n01234\r\n5;x=y\r\n56789\r\n0\r\n\r\n`)
  expect((await client.response()).body.toString()).toBe('0123456789')
})

test('before the maintenance page and the redirect', async () => {
  await using stage = await setStage({
    settings: { bodySize: 10 },
    routes: [routeTo('down.example', 'a', {}, [maintenance]), routeTo('b.example', 'a', {}, [enforce])],
  })
  for (const host of ['down.example', 'b.example']) {
    const client = await stage.connect()
    client.send(post(host, 'Content-Length: 11'))
    expect((await client.response()).status).toBe(413)
  }
})

test('a chunked body fails where it crosses the limit: at once, or while it streams', async () => {
  await using stage = await setStage({ settings: { bodySize: 10 } })
  const first = await stage.connect()
  first.send(`${post('a.example', 'Transfer-Encoding: chunked')}b\r\n0123456789a\r\n`)
  expect((await first.response()).status).toBe(413)
  expect(stage.app.accepted).toBe(0)

  const second = await stage.connect()
  second.send(`${post('a.example', 'Transfer-Encoding: chunked')}8\r\n01234567\r\n`)
  const app = await stage.app.connection()
  await app.head()
  second.send('3\r\n89a\r\n')
  expect((await second.response()).status).toBe(413)
  await app.ended()
  expect((await stage.thread.logged(2)).map(line => line.split(' - ')[4])).toEqual(['413', '413'])
})

test('a new limit counts for requests that come after it', async () => {
  await using stage = await setStage({ settings: { bodySize: 10 } })
  stage.app.serve(request => ok(String(request.body.length)))
  const client = await stage.connect()
  stage.thread.apply({ settings: defaultSettings({ bodySize: 20 }) })
  client.send(`${post('a.example', 'Content-Length: 11')}0123456789a`)
  expect((await client.response()).body.toString()).toBe('11')
})
