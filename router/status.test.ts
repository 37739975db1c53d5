// The pages about what is in force, of a router that runs: what it serves, and how soon a change of it was live.

import { once } from 'node:events'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { createServer, get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import type { Explanation } from '#kit/explanation.ts'
import type { RouterStatus } from '#kit/router-status.ts'
import { type ManifestRouter, startManifestRouter } from '#test/support/manifest-router.ts'
import { app, slice } from '#test/support/world-stage.ts'

const backend = createServer((_request, response) => response.end('hello'))
let directory: string
let site: ManifestRouter

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'status-'))
  backend.listen(0, '127.0.0.1')
  await once(backend, 'listening')
  await write({ domains: 'shop.example.com' })
  site = await startManifestRouter(directory)
})

afterAll(async () => {
  await site[Symbol.asyncDispose]()
  backend.close()
  await rm(directory, { recursive: true })
})

/** The app and where it is, put in place at once. */
async function write(annotations: Readonly<Record<string, string>>): Promise<void> {
  const { port } = backend.address() as AddressInfo
  const texts = [app('shop/shop', annotations), slice('shop/shop', '', port, '127.0.0.1')].map(object =>
    stringify(object),
  )
  await writeFile(join(directory, 'new'), texts.join('---\n'))
  await rename(join(directory, 'new'), join(directory, 'shop.yaml'))
}

async function ask(
  port: number,
  path: string,
  headers: Record<string, string>,
): Promise<{ status: number; body: string; type: string }> {
  const request = get({ host: '127.0.0.1', port, path, headers, agent: false })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return { status: response.statusCode!, body: await text(response), type: response.headers['content-type'] ?? '' }
}

const admin = (path: string, headers = {}) => ask(site.router.adminPort, path, headers)
const visit = (host: string) => ask(site.httpPort, '/', { host })

async function page<T>(path: string): Promise<T> {
  return JSON.parse((await admin(path)).body) as T
}

test('what is explained is what is answered, and a change is told with the time it took', async () => {
  const asked = '/explain?url=http://other.example.com/'
  expect((await page<Explanation>('/explain?url=http://shop.example.com/')).outcome.kind).toBe('app')
  expect((await visit('shop.example.com')).status).toBe(200)
  expect((await page<Explanation>(asked)).outcome.kind).toBe('not-found')
  expect((await visit('other.example.com')).status).toBe(404)

  await write({ domains: 'shop.example.com,other.example.com' })
  for (;;) if ((await visit('other.example.com')).status === 200) break
  expect(await page<Explanation>(asked)).toMatchObject({
    outcome: { kind: 'app' },
    route: { object: { kind: 'Service', namespace: 'shop', name: 'shop' } },
  })
  let status = await page<RouterStatus>('/status')
  while (status.changes.items[0]?.milliseconds === null) status = await page<RouterStatus>('/status')
  expect(status.changes.items.map(({ summary }) => summary)).toEqual(['1 route added', 'everything: 1 route'])
  for (const { milliseconds } of status.changes.items) expect(milliseconds).toBeGreaterThan(0)
  expect(status.routes.items.map(({ host, endpoints }) => [host, endpoints.ready])).toEqual([
    ['other.example.com', 1],
    ['shop.example.com', 1],
  ])
})

test('a browser gets the page', async () => {
  const { status, body, type } = await admin('/?search=shop', { accept: 'text/html' })
  expect([status, type]).toEqual([200, 'text/html; charset=utf-8'])
  expect(body).toContain('<td>shop.example.com</td>')
})
