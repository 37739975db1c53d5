// The server that static apps are given.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { writeFiles } from '#test/support/build-stage.ts'

const program = new URL('../../builder/buildpacks/static/server.mjs', import.meta.url).pathname
let directory = ''
let port = 0
let child: ReturnType<typeof spawn>

/** As it is: `fetch` would tidy the path up. */
function ask(path: string, headers: Record<string, string> = {}, method = 'GET') {
  return new Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; body: string }>((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, headers, method, agent: false }, response => {
      let body = ''
      response.on('data', chunk => (body += chunk))
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body }))
    })
      .on('error', reject)
      .end()
  })
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'static-'))
  await writeFiles(directory, {
    'root/index.html': 'front',
    'root/a b.txt': 'text',
    'root/d/index.html': 'below',
    'root/.env': 'secret',
    'root/404.html': 'not here',
    secret: 'secret',
  })
  await symlink(join(directory, 'secret'), join(directory, 'root/out'))
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  port = (probe.address() as AddressInfo).port
  probe.close()
  await once(probe, 'close')
  child = spawn(process.execPath, [program, join(directory, 'root')], { env: { PORT: String(port) } })
  while ((await ask('/').catch(() => null)) === null) await delay(20)
})
afterAll(async () => {
  child.kill()
  await once(child, 'exit')
  await rm(directory, { recursive: true })
})

const rows: [path: string, status: number, body: string][] = [
  ['/', 200, 'front'],
  ['/?x=1', 200, 'front'],
  ['/a%20b.txt', 200, 'text'],
  ['/d/', 200, 'below'],
  ['/d', 301, ''],
  ['/nowhere', 404, 'not here'],
  ['/.env', 404, 'not here'],
  ['/out', 404, 'not here'],
  ['/../secret', 404, 'not here'],
  ['/%2e%2e/secret', 404, 'not here'],
  ['/d/..%2f..%2fsecret', 404, 'not here'],
  ['/%', 400, ''],
  ['/%00', 400, ''],
]
for (const [path, status, body] of rows)
  test(`${path} is ${status}`, async () => {
    const answer = await ask(path)
    expect([answer.status, answer.body]).toEqual([status, body])
  })

test('tags, types, other methods, and a redirect that stays here', async () => {
  const { headers } = await ask('/a%20b.txt')
  expect(headers['content-type']).toBe('text/plain; charset=utf-8')
  expect((await ask('/a%20b.txt', { 'if-none-match': String(headers.etag) })).status).toBe(304)
  expect((await ask('/', {}, 'HEAD')).body).toBe('')
  expect((await ask('/', {}, 'POST')).status).toBe(405)
  expect((await ask('//d')).headers.location).toBe('/d/')
})
