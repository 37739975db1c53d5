// Over real sockets: who gets a source, how often, and what is left when it breaks.

import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { SourceServer } from './source-server.ts'

let server: SourceServer
let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'source-server-'))
  await writeFile(join(directory, 'Procfile'), 'web: run\n')
  server = await SourceServer.start({ address: '127.0.0.1', port: 0, url: null })
})
afterEach(async () => {
  await server.close()
  await rm(directory, { recursive: true })
})

const get = (url: string, token: string, method = 'GET') =>
  fetch(url, { method, headers: { authorization: `Bearer ${token}` } })

test('a source is had once, whole, by who has the secret', async () => {
  using offer = server.offer(directory)
  expect((await get(offer.url, 'wrong')).status).toBe(404)
  expect((await fetch(offer.url)).status).toBe(404)
  expect((await get(offer.url, offer.token, 'POST')).status).toBe(404)
  expect((await get(offer.url.replace(/[0-9a-f]{32}$/, '0'.repeat(32)), offer.token)).status).toBe(404)
  expect(offer.isTaken).toBe(false)
  const response = await get(offer.url, offer.token)
  expect(response.status).toBe(200)
  const input = Buffer.from(await response.arrayBuffer())
  expect(execFileSync('tar', ['-xzOf', '-', './Procfile'], { input }).toString()).toBe('web: run\n')
  await expect.poll(() => offer.isTaken).toBe(true)
  expect((await get(offer.url, offer.token)).status).toBe(410)
})

test('the secret of one offer is of no use for another, nor when it is over', async () => {
  const offer = server.offer(directory)
  using other = server.offer(directory)
  expect((await get(other.url, offer.token)).status).toBe(404)
  offer[Symbol.dispose]()
  expect((await get(offer.url, offer.token)).status).toBe(404)
})

test('a download that breaks may be begun again, but not for ever', async () => {
  await writeFile(join(directory, 'large'), randomBytes(32 * 1024 * 1024))
  using offer = server.offer(directory)
  const { hostname, port, pathname } = new URL(offer.url)
  for (let count = 0; count < 5; count++) {
    const socket = connect(Number(port), hostname)
    socket.write(`GET ${pathname} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${offer.token}\r\n\r\n`)
    const [first] = (await once(socket, 'data')) as [Buffer]
    expect(first.toString('latin1')).toMatch(/^HTTP\/1.1 200 /)
    // At a time there is one download.
    expect((await get(offer.url, offer.token)).status).toBe(409)
    socket.destroy()
    await expect.poll(async () => (await get(offer.url, offer.token, 'GET').then(drop)) !== 409).toBe(true)
    if ((await get(offer.url, offer.token).then(drop)) === 410) break
  }
  expect((await get(offer.url, offer.token)).status).toBe(410)
})

test('what cannot be packed whole is cut, and not passed off as whole', async () => {
  using offer = server.offer(join(directory, 'none'))
  const outcome = await get(offer.url, offer.token)
    .then(response => response.arrayBuffer())
    .then(
      () => 'whole',
      () => 'cut',
    )
  expect(outcome).toBe('cut')
  expect(offer.isTaken).toBe(false)
})

async function drop(response: Response): Promise<number> {
  await response.body?.cancel()
  return response.status
}
