import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { createServer, get, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { connect as connectTls } from 'node:tls'
import { afterEach, beforeEach, expect, test } from 'vitest'

const main = new URL('./main.ts', import.meta.url).pathname
const cleanups: (() => unknown)[] = []
let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'router-main-'))
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  await rm(directory, { recursive: true })
})

/** Starts are quicker with it, and nothing else: the environment of a test is what the test says. */
const compiled = { NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE }

interface Running {
  readonly child: ChildProcess
  /** Resolves with the next line of the log that has this message. */
  line(message: string): Promise<Record<string, unknown>>
  /** Resolves with the exit code, or the signal that ended it. */
  readonly exited: Promise<number | string>
  readonly stdout: Promise<string>
}

function run(argv: readonly string[], env: Record<string, string> = {}): Running {
  const child = spawn(process.execPath, [main, ...argv], {
    env: { ...compiled, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = once(child, 'exit').then(([code, signal]) => code ?? signal)
  cleanups.push(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const seen: Record<string, unknown>[] = []
  const waiting = new Set<() => void>()
  createInterface(child.stderr).on('line', line => {
    seen.push(JSON.parse(line))
    for (const wake of waiting) wake()
  })
  const line = async (message: string): Promise<Record<string, unknown>> => {
    for (;;) {
      const found = seen.find(entry => entry.message === message)
      if (found !== undefined) return found
      await new Promise<void>(resolve => waiting.add(resolve))
    }
  }
  return { child, line, exited, stdout: text(child.stdout) }
}

const anyPorts = ['--http-port', '0', '--https-port', '0', '--admin-port', '0', '--address', '127.0.0.1']

async function ask(port: number, path: string, host = 'localhost'): Promise<{ status: number; body: string }> {
  const request = get({ host: '127.0.0.1', port, path, headers: { host, connection: 'close' }, agent: false })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return { status: response.statusCode!, body: await text(response) }
}

function manifest(host: string, port: number): string {
  return `apiVersion: v1
kind: Service
metadata:
  name: web
  labels: {router.deis.io/routable: "true"}
  annotations: {router.deis.io/domains: ${host}}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
endpoints: [{addresses: [127.0.0.1], conditions: {ready: true}}]
ports: [{name: http, port: ${port}}]
`
}

/** An app that answers `hello`, and never ends the answer to `/slow`. */
async function app(): Promise<number> {
  const server = createServer((request, response) => {
    if (request.url === '/slow') response.write('begun')
    else response.end('hello')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => {
    server.close()
    server.closeAllConnections()
  })
  return (server.address() as AddressInfo).port
}

test('from start to orderly end', async () => {
  const file = join(directory, 'web.yaml')
  const port = await app()
  await writeFile(file, manifest('a.example.com', port))
  const router = run(['--manifests', directory, '--workers', '2', ...anyPorts])
  const { http, https, admin } = (await router.line('listening')) as { http: number; https: number; admin: number }

  expect(await ask(admin, '/healthz')).toEqual({ status: 200, body: 'ok\n' })
  expect(await ask(http, '/', 'a.example.com')).toEqual({ status: 200, body: 'hello' })
  expect((await ask(http, '/', 'b.example.com')).status).toBe(404)
  const tls = connectTls({ host: '127.0.0.1', port: https, rejectUnauthorized: false, servername: 'b.example.com' })
  await once(tls, 'secureConnect')
  expect(tls.getPeerCertificate().subject.CN).toBe('deis-router.invalid')
  tls.destroy()
  const routes = JSON.parse((await ask(admin, '/routes')).body)
  expect(routes.routes).toMatchObject([{ host: 'a.example.com', app: 'default/web', endpoints: 1 }])
  expect((await ask(admin, '/metrics')).body).toContain('deis_router_requests_total{app="default/web",class="2xx"} 1\n')

  await writeFile(`${file}.new`, manifest('b.example.com', port))
  await rename(`${file}.new`, file)
  for (const end = Date.now() + 10_000; (await ask(http, '/', 'b.example.com')).status !== 200; )
    if (Date.now() > end) throw new Error('the change did not come into force')

  await writeFile(join(directory, 'bad.yaml'), 'a: [')
  for (const end = Date.now() + 10_000; !(await ask(admin, '/problems')).body.includes('bad.yaml'); )
    if (Date.now() > end) throw new Error('the problem was not reported')
  expect((await ask(http, '/', 'b.example.com')).status).toBe(200)

  router.child.kill('SIGTERM')
  expect(await router.exited).toBe(0)
  expect(await router.stdout).toMatch(/ - default\/web - 127\.0\.0\.1 - - - 200 - "GET \/ HTTP\/1\.1" - /)
})

test('SIGTERM: 503 on /healthz, what is open goes on, and a second signal ends it at once', async () => {
  await writeFile(join(directory, 'web.yaml'), manifest('a.example.com', await app()))
  const router = run(['--manifests', directory, ...anyPorts], { DEIS_ROUTER_WORKERS: '1' })
  const { http, admin } = (await router.line('listening')) as { http: number; admin: number }
  const client = connect(http, '127.0.0.1')
  client.on('error', () => {})
  client.write('GET /slow HTTP/1.1\r\nHost: a.example.com\r\n\r\n')
  await once(client, 'data')
  router.child.kill('SIGTERM')
  await router.line('draining')
  expect(await ask(admin, '/healthz')).toEqual({ status: 503, body: 'draining\n' })
  expect(client.destroyed).toBe(false)
  router.child.kill('SIGTERM')
  expect(await router.exited).toBe(143)
})

test('what is still open after the drain time is cut', async () => {
  await writeFile(join(directory, 'web.yaml'), manifest('a.example.com', await app()))
  const router = run(['--manifests', directory, '--workers', '1', '--drain-timeout', '1', ...anyPorts])
  const { http } = (await router.line('listening')) as { http: number }
  const client = connect(http, '127.0.0.1')
  client.on('error', () => {})
  client.write('GET /slow HTTP/1.1\r\nHost: a.example.com\r\n\r\n')
  await once(client, 'data')
  router.child.kill('SIGINT')
  expect(await router.line('drained')).toMatchObject({ cut: 1 })
  expect(await router.exited).toBe(0)
})

/** Services that each have a Problem of their own, another one in each round; it is logged with the change of their domains. */
function faulty(round: number): string {
  const services = Array.from({ length: 100 }, (_, index) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      // As long as names may be, for long lines.
      name: `web-${index}-${'x'.repeat(230)}`,
      labels: { 'router.deis.io/routable': 'true' },
      annotations: {
        'router.deis.io/domains': `web-${index}-${round}`,
        'router.deis.io/connectTimeout': `round ${round} ${'x'.repeat(200)}`,
      },
    },
    spec: { ports: [{ name: 'http', port: 80 }] },
  }))
  return services.map(service => JSON.stringify(service)).join('\n---\n')
}

test('a log that nobody reads keeps nobody from being served, nor the end from coming', async () => {
  const manifests = join(directory, 'manifests')
  await mkdir(manifests)
  await writeFile(join(manifests, 'web.yaml'), manifest('a.example.com', await app()))
  // What is called a pipe in `spawn` is a socket.
  const pipe = join(directory, 'log')
  execFileSync('mkfifo', [pipe])
  const reader = new Socket({ fd: openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK) })
  cleanups.push(() => reader.destroy())
  const end = openSync(pipe, 'w')
  const child = spawn(process.execPath, [main, '--manifests', manifests, '--workers', '1', ...anyPorts], {
    env: compiled,
    stdio: ['ignore', 'ignore', end],
  })
  closeSync(end)
  cleanups.push(() => child.kill('SIGKILL'))
  const exited = once(child, 'exit')
  let log = ''
  for await (const chunk of reader.iterator({ destroyOnReturn: false })) {
    log += chunk
    if (log.includes('"message":"listening"')) break
  }
  const line = log.split('\n').find(line => line.includes('"listening"'))!
  const { admin, http } = JSON.parse(line) as { admin: number; http: number }

  // Until the pipe is full, and all that may wait for it.
  const figures = async () => {
    const { body } = await ask(admin, '/metrics')
    const figure = (name: string) => Number(new RegExp(`^deis_router_${name} (\\d+)$`, 'm').exec(body)?.[1])
    return { dropped: figure('log_dropped_total'), version: figure('config_version') }
  }
  const file = join(manifests, 'many.yaml')
  let last = await figures()
  for (let round = 0; last.dropped === 0; round++) {
    await writeFile(`${file}.new`, faulty(round))
    await rename(`${file}.new`, file)
    const { version } = last
    while (last.version === version) last = await figures()
  }
  expect((await ask(admin, '/healthz')).status).toBe(200)
  expect(await ask(http, '/', 'a.example.com')).toEqual({ status: 200, body: 'hello' })
  child.kill('SIGTERM')
  expect(await exited).toEqual([0, null])
})

test('--version', async () => {
  const version = run(['--version'])
  expect([await version.exited, await version.stdout]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+\n$/)])
})

// One of the command line, one of the start; the others are in `config.test.ts` and `router.test.ts`.
const refusals: [name: string, argv: (taken: number) => readonly string[], code: number, line: RegExp][] = [
  [
    'no source, and bad flags',
    () => ['--http-port', 'x', '--bogus'],
    64,
    /^deis-router: unknown argument "--bogus"; --http-port must be .*; this is not a pod of a cluster: pass --kubeconfig FILE or --manifests DIR \(--help/,
  ],
  [
    'an HTTP port in use',
    taken => ['--manifests', directory, ...anyPorts, '--http-port', String(taken)],
    69,
    /^deis-router: cannot listen on 127\.0\.0\.1 port \d+ \(--http-port\): another process has it; "ss -ltnp sport = :\d+" shows which$/,
  ],
]
for (const [name, argv, code, line] of refusals)
  test(`exit code ${code} and one line: ${name}`, async () => {
    const other = createTcpServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    cleanups.push(() => other.close())
    const child = spawn(process.execPath, [main, ...argv((other.address() as AddressInfo).port)], {
      env: compiled,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const [stderr, [exited]] = await Promise.all([text(child.stderr), once(child, 'exit')])
    expect(exited).toBe(code)
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
    expect(stderr.trimEnd()).toMatch(line)
  })
