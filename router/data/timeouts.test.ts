// Who may take how long: clients that stall (contract section 13) and apps that do (section 6, tcpTimeout). The
// thread's clock jumps; nothing here waits.

import { expect, test } from 'vitest'
import { get, ok } from '#test/support/app.ts'
import { fieldValue } from '#test/support/http-message.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { setStage } from '#test/support/stage.ts'

failOnLeaks()

test('§13.4 a head that does not come to its end within a minute: 408', async () => {
  await using stage = await setStage()
  const client = await stage.connect()
  client.send('GET / HTTP/1.1\r\n')
  // Octet after octet does not help: the minute is for the whole head.
  for (let i = 0; i < 5; i++) {
    await stage.thread.elapse(11_000)
    client.send('X')
  }
  expect(client.queue.length).toBe(0)
  await stage.thread.elapse(6_000)
  const response = await client.response()
  expect([response.status, fieldValue(response, 'connection')]).toEqual([408, 'close'])
  expect(await client.ended()).toBe('end')
  expect((await stage.thread.logged(1))[0]).toContain(' - 408 - ')
})

test('a second request gets a minute of its own', async () => {
  await using stage = await setStage()
  stage.app.serve(() => ok('yes'))
  const client = await stage.connect()
  client.send(get('a.example'))
  await client.response()
  await stage.thread.elapse(100_000)
  client.send('GET / HTTP/1.1\r\n')
  await stage.thread.elapse(50_000)
  client.send('Host: a.example\r\n\r\n')
  expect((await client.response()).status).toBe(200)
})

test('§13.4 a body in which nothing comes for a minute: 408, and the app is let go', async () => {
  await using stage = await setStage()
  const client = await stage.connect()
  client.send('POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\n')
  const app = await stage.app.connection()
  for (let i = 0; i < 3; i++) {
    await stage.thread.elapse(50_000)
    client.send('x')
  }
  await app.queue.takeThrough('xxx')
  await stage.thread.elapse(61_000)
  const response = await client.response()
  expect([response.status, fieldValue(response, 'connection')]).toEqual([408, 'close'])
  await app.ended()
  await stage.thread.opens({ upstream: 0 })
})

test('an app that says nothing within the idle time: 504, and the client keeps its connection', async () => {
  await using stage = await setStage()
  const client = await stage.connect()
  client.send(get('a.example'))
  const app = await stage.app.connection()
  await app.request()
  await stage.thread.elapse(4_800)
  expect(client.queue.length).toBe(0)
  await stage.thread.elapse(400)
  const response = await client.response()
  expect([response.status, fieldValue(response, 'connection')]).toEqual([504, undefined])
  await app.ended()
  expect(stage.thread.count('upstreamTimeouts')).toBe(1)
  const [line] = await stage.thread.logged(1)
  expect(line).toContain(' - 504 - ')
  client.send(get('nobody.example'))
  expect((await client.response()).status).toBe(404)
})

test('the idle time is for each silence, not for all of them', async () => {
  await using stage = await setStage()
  const client = await stage.connect()
  client.send(get('a.example'))
  const app = await stage.app.connection()
  await app.request()
  for (const part of [
    'HTTP/1.1 103 Early Hints\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-',
    'Length: 3\r\n\r\n',
    'a',
    'b',
  ]) {
    await stage.thread.elapse(4_500)
    await app.send(part)
    await stage.thread.settle()
  }
  await stage.thread.elapse(4_500)
  app.send('c')
  expect((await client.response()).status).toBe(103)
  expect((await client.response()).body.toString()).toBe('abc')
})

test('an app that stops within its answer: the client is cut off', async () => {
  await using stage = await setStage()
  const client = await stage.connect()
  client.send(get('a.example'))
  const app = await stage.app.connection()
  await app.request()
  app.send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello')
  await client.queue.takeThrough('hello')
  await stage.thread.elapse(5_200)
  await client.ended()
  expect(client.queue.length).toBe(0)
  expect(stage.thread.count('upstreamTimeouts')).toBe(1)
  await stage.thread.opens({ http: 0, upstream: 0 })
})

test('an app that does not take the body: 504 after the idle time', async () => {
  await using stage = await setStage()
  const client = await stage.connect()
  const size = 64 * 1024 * 1024
  client.send(`POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: ${size}\r\n\r\n`)
  const app = await stage.app.connection()
  app.socket.pause()
  let sent = 0
  const chunk = Buffer.alloc(256 * 1024)
  const sending = (async () => {
    for (; sent < size && !client.socket.destroyed && client.queue.ended === null; sent += chunk.length)
      await client.send(chunk)
  })()
  await stage.thread.stalled(() => sent)
  expect(sent).toBeLessThan(size / 2)
  await stage.thread.elapse(5_200)
  expect((await client.response()).status).toBe(504)
  client.socket.destroy()
  await sending
})

test('time that the client takes for an answer is not held against the app', async () => {
  await using stage = await setStage()
  const client = await stage.connect()
  client.socket.pause()
  client.send(get('a.example'))
  const app = await stage.app.connection()
  await app.request()
  const size = 64 * 1024 * 1024
  app.send(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`)
  const chunk = Buffer.alloc(256 * 1024)
  let sent = 0
  const sending = (async () => {
    for (; sent < size; sent += chunk.length) await app.send(chunk)
  })()
  await stage.thread.stalled(() => sent)
  // The app's idle time is 5 s, the client's a minute.
  await stage.thread.elapse(50_000)
  client.socket.resume()
  expect((await client.response()).body.length).toBe(size)
  await sending
})

test('a refused client that goes on sending is read from for five seconds, and cut then', async () => {
  await using stage = await setStage()
  const client = await stage.connect()
  client.send('garbage\r\n\r\n')
  expect((await client.response()).status).toBe(400)
  expect(await client.ended()).toBe('end')
  await stage.thread.elapse(4_000)
  expect(stage.thread.open().http).toBe(1)
  await stage.thread.elapse(1_200)
  expect(stage.thread.open().http).toBe(0)
})
