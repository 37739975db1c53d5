// Failures that looked like something else: each is told by its story, and counted by its cause.

import { expect, test } from 'vitest'
import { get } from '#test/support/app.ts'
import { fieldValue } from '#test/support/http-message.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { type Stage, setStage } from '#test/support/stage.ts'
import type { FailureCode } from '../model/counters.ts'
import { counter, failureCodes } from '../model/counters.ts'

failOnLeaks()

function failures(stage: Stage, code: FailureCode): number {
  return stage.thread.counters[counter.failures + failureCodes.indexOf(code)]!
}

test('a head and a bad chunk in one read: nothing has gone out, so the client is told 502', async () => {
  await using stage = await setStage()
  stage.app.serve(() => 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n')
  const client = await stage.connect()
  client.send(get('a.example'))
  expect((await client.response()).status).toBe(502)
  expect(failures(stage, 'upstream-invalid')).toBe(1)
  const [line] = await stage.thread.logged(1)
  expect(line).toMatch(/ - 502 - /)
})

test('an answer that an endpoint cuts short is counted, though its status was 200', async () => {
  await using stage = await setStage()
  const client = await stage.connect()
  client.send(get('a.example'))
  const app = await stage.app.connection()
  await app.request()
  app.send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc')
  app.end()
  await client.head()
  await client.ended().catch(() => {})
  expect(failures(stage, 'upstream-closed')).toBe(1)
})

test('204 loses a Content-Length that the app gave it, and the connection goes on', async () => {
  await using stage = await setStage()
  stage.app.serve(() => 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\nX-A: b\r\n\r\n')
  const client = await stage.connect()
  for (let i = 0; i < 2; i++) {
    client.send(get('a.example'))
    const response = await client.response()
    expect([response.status, fieldValue(response, 'content-length'), fieldValue(response, 'x-a')]).toEqual([
      204,
      undefined,
      'b',
    ])
  }
})

test('405 says what is allowed', async () => {
  await using stage = await setStage()
  const client = await stage.connect()
  client.send('TRACE / HTTP/1.1\r\nHost: a.example\r\n\r\n')
  const response = await client.response()
  expect(response.status).toBe(405)
  expect(fieldValue(response, 'allow')).toContain('GET')
  expect(failures(stage, 'method-not-allowed')).toBe(1)
})

test('101 that does not say to which protocol is no answer to an offer', async () => {
  await using stage = await setStage()
  stage.app.serve(() => 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\r\n')
  const client = await stage.connect()
  client.send('GET / HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n')
  expect((await client.response()).status).toBe(502)
  expect(failures(stage, 'upstream-invalid')).toBe(1)
})
