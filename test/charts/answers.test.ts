// The program of `helm test`, against a router and against what is none.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { RouterProcess } from '#test/support/router-process.ts'
import { chartDirectory } from './chart.ts'

const program = readFileSync(join(chartDirectory, 'files/answers.js'), 'utf8')
const manifests = join(import.meta.dirname, '../../examples/manifests')

/** Its exit code and what it printed. */
async function answers(env: Readonly<Record<string, string>>): Promise<{ code: number | null; output: string }> {
  const args = ['--input-type=module', '--eval', program]
  const child: ChildProcess = spawn(process.execPath, args, { env: { PATIENCE: '0', ...env } })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream!.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, output }
}

test('a router passes', async () => {
  await using router = new RouterProcess(['--manifests', manifests, '--workers', '1'])
  const { http, admin } = await router.ready()
  const env = { ROUTER: `127.0.0.1:${http}`, ADMIN: `127.0.0.1:${admin}` }
  expect(await answers(env)).toEqual({
    code: 0,
    output: 'ok: health: 200\nok: health on the HTTP port: 200\nok: a host that nobody has: 404\n',
  })
})

test('what serves unknown hosts does not, unless there is a default service', async () => {
  const server = createServer((_, response) => response.end('hello')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const at = `127.0.0.1:${(server.address() as AddressInfo).port}`
  try {
    const failed = await answers({ ROUTER: at, ADMIN: at })
    expect(failed.code).toBe(1)
    expect(failed.output).toContain(`failed: a host that nobody has, http://${at}/: 200 instead of 404`)
    expect((await answers({ ROUTER: at, ADMIN: at, DEFAULT_SERVICE: 'true' })).code).toBe(0)
  } finally {
    server.close()
  }
})

test('nobody there: it says so', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const at = `127.0.0.1:${(server.address() as AddressInfo).port}`
  server.close()
  const { code, output } = await answers({ ROUTER: at, ADMIN: at })
  expect(code).toBe(1)
  expect(output).toContain('ECONNREFUSED')
})

test('behind PROXY protocol it speaks it', async () => {
  const heard: string[] = []
  const server = createTcpServer(socket => {
    socket.once('data', chunk => {
      const text = chunk.toString()
      heard.push(text.slice(0, text.indexOf('\r\n')))
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  try {
    // Two names of one address: the admin port never gets a PROXY header.
    const env = {
      ROUTER: `127.0.0.1:${port}`,
      ADMIN: `localhost:${port}`,
      PROXY_PROTOCOL: 'true',
      DEFAULT_SERVICE: 'true',
    }
    expect((await answers(env)).code).toBe(0)
    expect(heard).toEqual(['GET /healthz HTTP/1.1', 'PROXY UNKNOWN'])
  } finally {
    server.close()
  }
})
