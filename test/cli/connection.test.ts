// The client on the wire (contract of the command line, section 3): what it sends, what it follows, what it makes of
// answers that a controller of ours does not give. The other side is a server of Node.

import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { selfSign } from '#kit/self-signed.ts'
import { version } from '#kit/version.ts'
import { type Said, Terminal, type TypeOptions } from '#test/support/terminal.ts'

interface Seen {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

let terminal: Terminal
const servers: { close(): unknown }[] = []
const token = 'a'.repeat(40)

beforeAll(async () => {
  terminal = await Terminal.open()
})
afterAll(() => terminal[Symbol.asyncDispose]())
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function listen<T extends Server | ReturnType<typeof createTcpServer>>(server: T): Promise<number> {
  servers.push(server)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return (server.address() as AddressInfo).port
}

/** Answers each request by `answer`, with the version of the API, and notes it. */
async function serve(
  answer: (seen: Seen) => { status?: number; headers?: Record<string, string>; body?: string | Buffer },
): Promise<{ readonly port: number; readonly seen: Seen[] }> {
  const seen: Seen[] = []
  const port = await listen(createServer(answering(answer, seen)))
  return { port, seen }
}

function answering(answer: Parameters<typeof serve>[0], seen: Seen[]): RequestListener {
  return async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString()
    const { method = '', url: path = '', headers } = request
    seen.push({ method, path, headers, body })
    const { status = 200, headers: more = {}, body: text = '{}' } = answer(seen.at(-1)!)
    response.writeHead(status, { 'content-type': 'application/json', DEIS_API_VERSION: '2.3', ...more }).end(text)
  }
}

async function loggedIn(controller: string, more: object = {}): Promise<void> {
  const profile = { username: 'alice', ssl_verify: true, controller, token, response_limit: 0, ...more }
  await writeFile(join(terminal.home, 'p.json'), JSON.stringify(profile))
}

const deis = (line: string, options: TypeOptions = {}): Promise<Said> =>
  terminal.deis(`${line} --config=${terminal.home}/p.json`, options)

const page = JSON.stringify({ count: 1, next: null, previous: null, results: [{ id: 'shop', username: 'u' }] })

test('headers, and what goes without a body', async () => {
  const { port, seen } = await serve(({ path }) => ({ body: path.includes('?') ? page : '{"version":3,"id":"x"}' }))
  await loggedIn(`http://127.0.0.1:${port}`)
  await deis('apps')
  await deis('rollback -a shop')
  await deis('domains:remove *.example.com -a shop')
  await deis('whitelist:remove 1.2.3.4 -a shop')
  await deis('perms:delete me@home --admin')
  const common = {
    host: `127.0.0.1:${port}`,
    'user-agent': `Deis Client v${version}`,
    authorization: `token ${token}`,
    'content-type': 'application/json',
    'accept-encoding': 'gzip',
    connection: 'close',
  }
  expect(seen).toEqual(
    [
      { method: 'GET', path: '/v2/apps/?limit=100', headers: common, body: '' },
      {
        method: 'POST',
        path: '/v2/apps/shop/releases/rollback/',
        headers: { ...common, 'content-length': '0' },
        body: '',
      },
      {
        method: 'DELETE',
        path: '/v2/apps/shop/domains/%2A.example.com',
        headers: { ...common, 'content-length': '0' },
        body: '',
      },
      {
        ...{ method: 'DELETE', path: '/v2/apps/shop/whitelist/' },
        headers: { ...common, 'content-length': '27' },
        body: '{"addresses":["1.2.3.4"]}'.padEnd(25),
      },
      { method: 'DELETE', path: '/v2/admin/perms/me@home', headers: { ...common, 'content-length': '0' }, body: '' },
    ].map(one =>
      one.body === '' ? one : { ...one, headers: { ...one.headers, 'content-length': String(one.body.length) } },
    ),
  )
})

test('bodies of what is set', async () => {
  const { port, seen } = await serve(() => ({
    body: '{"values":{},"memory":{},"cpu":{},"tags":{},"registry":{},"healthcheck":{},"results":[],"count":0}',
  }))
  await loggedIn(`http://127.0.0.1:${port}`)
  const lines: readonly [line: string, body: unknown][] = [
    ['scale web=2 worker=0', { web: 2, worker: 0 }],
    [
      'healthchecks:set liveness httpGet 80 --type=web --headers=A:b',
      {
        healthcheck: {
          web: {
            livenessProbe: {
              ...{
                initialDelaySeconds: 50,
                timeoutSeconds: 50,
                periodSeconds: 10,
                successThreshold: 1,
                failureThreshold: 3,
              },
              httpGet: { path: '/', port: 80, httpHeaders: [{ name: 'A', value: 'b' }] },
            },
          },
        },
      },
    ],
    ['healthchecks:unset liveness', { healthcheck: { 'web/cmd': { livenessProbe: null } } }],
    ['limits:unset web --cpu', { cpu: { web: null } }],
    ['tls:disable', { https_enforced: false }],
    ['maintenance:on', { maintenance: true }],
    ['whitelist:add 1.2.3.4', { addresses: ['1.2.3.4'] }],
    ['pull img -p web:\u00a0x', null],
    ['auth:regenerate --all', { all: true }],
    ['autoscale:unset web', { autoscale: { web: null } }],
  ]
  for (const [line, body] of lines) {
    if (body === null) continue
    const from = seen.length
    await deis(line.startsWith('auth') ? line : `${line} -a shop`)
    expect([line, JSON.parse(seen.slice(from).find(({ method }) => method === 'POST')!.body)]).toEqual([line, body])
  }
  const from = seen.length
  await terminal.type(['pull', 'img', '-a', 'shop', '-p', 'web: x', `--config=${terminal.home}/p.json`])
  expect(JSON.parse(seen[from]!.body)).toEqual({ image: 'img', procfile: { web: 'x' } })
})

test('a limit of the profile, and no limit', async () => {
  const all = Array.from({ length: 5 }, (_, at) => ({ id: `app${at}` }))
  const { port, seen } = await serve(({ path }) => {
    const query = new URL(path, 'http://x').searchParams
    const offset = Number(query.get('offset') ?? 0)
    return { body: JSON.stringify({ count: 5, results: all.slice(offset, offset + 2) }) }
  })
  await loggedIn(`http://127.0.0.1:${port}`, { response_limit: 2 })
  expect((await deis('apps')).out).toBe('=== Apps (2 of 5)\napp0\napp1\n')
  expect((await deis('apps --limit=0')).out).toBe('=== Apps\napp0\napp1\napp2\napp3\napp4\n')
  expect(seen.map(({ path }) => path)).toEqual([
    '/v2/apps/?limit=2',
    '/v2/apps/?limit=0',
    '/v2/apps/?limit=2&offset=2',
    '/v2/apps/?limit=2&offset=4',
  ])
})

test('a packed answer', async () => {
  const { port } = await serve(() => ({ headers: { 'content-encoding': 'gzip' }, body: gzipSync(page) }))
  await loggedIn(`http://127.0.0.1:${port}`)
  expect((await deis('apps')).out).toBe('=== Apps\nshop\n')
})

describe('versions', () => {
  test.each([
    ['2.3', true],
    ['2.4', true],
    ['2.10', false],
    ['2.2', false],
    ['3.3', false],
    ['2', false],
    ['', false],
  ])('%j', async (server, suits) => {
    const { port } = await serve(() => ({ headers: { DEIS_API_VERSION: server }, body: page }))
    await loggedIn(`http://127.0.0.1:${port}`)
    expect(await deis('apps')).toEqual({
      code: 0,
      out: '=== Apps\nshop\n',
      err: suits
        ? ''
        : '!    WARNING: Client and server API versions do not match. Please consider upgrading.\n' +
          `!    Client version: 2.3\n!    Server version: ${server}\n`,
    })
  })
})

describe('redirects', () => {
  const rows: readonly [status: number, method: string, body: string][] = [
    [301, 'GET', ''],
    [302, 'GET', ''],
    [303, 'GET', ''],
    [307, 'POST', '{"maintenance":true}'],
    [308, 'POST', '{"maintenance":true}'],
  ]
  test.each(rows)('%i on POST', async (status, method, body) => {
    const { port, seen } = await serve(({ path }) =>
      path.startsWith('/v2') ? { status, headers: { location: '/moved' } } : {},
    )
    await loggedIn(`http://127.0.0.1:${port}`)
    expect((await deis('maintenance:on -a shop')).code).toBe(0)
    expect(seen[1]).toMatchObject({ method, path: '/moved', body, headers: { authorization: `token ${token}` } })
  })

  test('a token does not go to another host', async () => {
    const other = await serve(() => ({ body: page }))
    const { port } = await serve(() => ({ status: 302, headers: { location: `http://localhost:${other.port}/x` } }))
    await loggedIn(`http://127.0.0.1:${port}`)
    expect((await deis('apps')).code).toBe(0)
    expect(other.seen[0]!.headers.authorization).toBeUndefined()
  })

  test('a token that goes encrypted does not go on in the clear', async () => {
    const plain = await serve(() => ({ body: page }))
    const { chain, key } = selfSign(['deis.localhost'], 30, Date.now())
    const answer = () => ({ status: 302, headers: { location: `http://deis.localhost:${plain.port}/x` } })
    const port = await listen(createSecureServer({ cert: chain, key }, answering(answer, [])))
    await loggedIn(`https://deis.localhost:${port}`, { ssl_verify: false })
    expect((await deis('apps')).code).toBe(0)
    expect(plain.seen[0]!.headers.authorization).toBeUndefined()
  })

  test('not for ever', async () => {
    const { port, seen } = await serve(() => ({ status: 302, headers: { location: '/again' }, body: 'round' }))
    await loggedIn(`http://127.0.0.1:${port}`)
    expect((await deis('apps')).err).toBe('Error: Unknown Error (302): round\n')
    expect(seen.length).toBe(11)
  })
})

describe('what is no controller', () => {
  test('login asks first', async () => {
    const { port, seen } = await serve(() => ({ status: 200 }))
    expect(await deis(`login http://127.0.0.1:${port}`)).toMatchObject({
      code: 1,
      err:
        `Error: http://127.0.0.1:${port} does not appear to be a valid Deis controller.\n` +
        'Make sure that the Controller URI is correct, the server is running and\nyour client version is correct.\n' +
        'It answered 200 to GET /v2/, and a controller answers 401.\n',
    })
    expect(seen.map(({ path }) => path)).toEqual(['/v2/'])
  })

  test('answers that are not understood', async () => {
    const { port } = await serve(({ path }) => ({ body: path.includes('?') ? '{"results":{}}' : '<html>' }))
    await loggedIn(`http://127.0.0.1:${port}`)
    for (const line of ['apps', 'config -a shop'])
      expect((await deis(line)).err).toMatch(/^Error: The answer is not that of a Deis controller\nIt begins with "/)
  })

  test('a run without an exit code did not end well', async () => {
    const { port } = await serve(() => ({ body: '{"output":"x"}' }))
    await loggedIn(`http://127.0.0.1:${port}`)
    expect(await deis('run -a shop ls')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^Error: The answer is not that of a Deis controller/),
    })
  })

  test('an answer that breaks off', async () => {
    const port = await listen(
      createTcpServer(socket => {
        socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"id":'))
        socket.on('error', () => {})
      }),
    )
    await loggedIn(`http://127.0.0.1:${port}`)
    for (const [line, hint] of [
      ['config:set A=1 -a shop', 'What was asked for may have been done all the same: look before you do it again.'],
      // That a read may have been done is no reason to look.
      ['config -a shop', 'Nothing was to be changed: try again.'],
    ] as const)
      expect((await deis(line)).err).toBe(`Error: The answer of http://127.0.0.1:${port} broke off: aborted\n${hint}\n`)
  })

  test('nobody there', async () => {
    const port = await listen(createTcpServer())
    servers.pop()!.close()
    await loggedIn(`http://deis.localhost:${port}/`)
    expect((await deis('apps')).err).toBe(
      `Error: Cannot connect to http://deis.localhost:${port}/: nothing listens at deis.localhost:${port}\n` +
        `Is the controller running, and the port right? Try: curl -i http://deis.localhost:${port}/healthz\n`,
    )
  })

  test('no such host', async () => {
    await loggedIn('http://deis.invalid')
    expect((await deis('apps')).err).toMatch(
      /^Error: Cannot connect to http:\/\/deis\.invalid: deis\.invalid has no address/,
    )
  })
})

describe('TLS', () => {
  const secure = async (): Promise<number> => {
    const { chain, key } = selfSign(['deis.localhost'], 30, Date.now())
    const answer = ({ path }: Seen) => (path === '/v2/' ? { status: 401 } : { body: '{"token":"t"}' })
    return listen(createSecureServer({ cert: chain, key }, answering(answer, [])))
  }

  test('a certificate that nobody vouches for', async () => {
    const port = await secure()
    const url = `https://deis.localhost:${port}`
    const refused = await deis(`login ${url} --username=alice --password=x`)
    expect(refused.code).toBe(1)
    expect(refused.err).toContain(`Cannot connect to ${url}: self-signed certificate\n`)
    expect(refused.err).toContain('deis login <controller> --ssl-verify=false\n')
    const said = await deis(`login ${url} --username=alice --password=x --ssl-verify=false`)
    expect(said).toMatchObject({ code: 0, err: '' })
    expect(JSON.parse(await readFile(join(terminal.home, 'p.json'), 'utf8'))).toMatchObject({
      ssl_verify: false,
      token: 't',
    })
  })

  test('a port without it', async () => {
    const { port } = await serve(() => ({}))
    await loggedIn(`https://deis.localhost:${port}`)
    expect((await deis('apps')).err).toContain(
      `it does not speak TLS on that port\nTry http://deis.localhost:${port} instead`,
    )
  })
})

describe('proxies', () => {
  test('HTTP goes through with the whole URL', async () => {
    const { port, seen } = await serve(() => ({ body: page }))
    await loggedIn('http://deis.example.com')
    const said = await deis('apps', { env: { http_proxy: `http://me:secret@127.0.0.1:${port}` } })
    expect(said.out).toBe('=== Apps\nshop\n')
    expect(seen[0]).toMatchObject({
      path: 'http://deis.example.com/v2/apps/?limit=100',
      headers: { host: 'deis.example.com', 'proxy-authorization': `Basic ${btoa('me:secret')}` },
    })
  })

  test('HTTPS through a tunnel', async () => {
    const { chain, key } = selfSign(['deis.example.com'], 30, Date.now())
    const seen: Seen[] = []
    const target = await listen(
      createSecureServer(
        { cert: chain, key },
        answering(() => ({ body: page }), seen),
      ),
    )
    const asked: string[] = []
    const proxy = createServer()
    proxy.on('connect', (request, socket) => {
      asked.push(request.url!)
      const through = connect(target, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
        through.pipe(socket).pipe(through)
      })
    })
    const port = await listen(proxy)
    await loggedIn('https://deis.example.com', { ssl_verify: false })
    expect((await deis('apps', { env: { https_proxy: `127.0.0.1:${port}` } })).out).toBe('=== Apps\nshop\n')
    expect([asked, seen[0]!.headers.host]).toEqual([['deis.example.com:443'], 'deis.example.com'])
  })

  test('a proxy that does not want to', async () => {
    const proxy = createServer()
    proxy.on('connect', (_request, socket) => socket.end('HTTP/1.1 403 Forbidden\r\n\r\n'))
    const port = await listen(proxy)
    await loggedIn('https://deis.example.com')
    expect((await deis('apps', { env: { https_proxy: `127.0.0.1:${port}` } })).err).toContain(
      `the proxy 127.0.0.1:${port} answered 403`,
    )
  })
})

describe('logs', () => {
  const lines =
    '2016-10-18T20:29:38+00:00 shop[web.v2.nzf60]: é one\n2016-10-18T20:29:39+00:00 deis[controller]: INFO two\n'

  test('as they come, coloured only on a terminal', async () => {
    const { port, seen } = await serve(() => ({ headers: { 'content-type': 'text/plain' }, body: lines }))
    await loggedIn(`http://127.0.0.1:${port}`)
    expect((await deis('logs -a shop -n 5')).out).toBe(lines)
    expect((await deis('logs -a shop --router', { terminal: true })).out).toMatch(
      /^\x1b\[\d+m2016.*é one\x1b\[\d+m\n\x1b\[35m2016.*INFO two\x1b\[39m\n$/,
    )
    expect(seen.map(({ path }) => path)).toEqual(['/v2/apps/shop/logs?log_lines=5', '/v2/apps/shop/logs?source=router'])
  })

  // An app could set the title of the terminal of whoever read its log.
  test('a terminal is not steered by an app; a file gets its octets', async () => {
    const text = '2016-10-18T20:29:38+00:00 shop[web.v2.nzf60]: \x1b]0;evil\x07\x1b[31mred\x1b[0m\n'
    const { port } = await serve(({ path }) =>
      path.endsWith('/run')
        ? { body: JSON.stringify({ exit_code: path.includes('bad') ? 3 : 0, output: text }) }
        : { headers: { 'content-type': 'text/plain' }, body: text },
    )
    await loggedIn(`http://127.0.0.1:${port}`)
    for (const [line, to] of [
      ['logs -a shop', 'out'],
      ['run -a shop ls', 'out'],
      ['run -a bad ls', 'err'],
    ] as const) {
      expect((await deis(line))[to]).toContain(text)
      const shown = (await deis(line, { terminal: true }))[to]
      expect(shown).toContain('␛]0;evil␇\x1b[31mred\x1b[0m')
      expect(shown).not.toContain('\x1b]')
    }
  })

  // Only logs and `run` were looked at: a collaborator's value, or an error with what he sent, could do the same.
  test('nor by a value, a summary, a name or an error; a file gets their octets', async () => {
    const evil = '\x1b]0;evil\x07\x1b[8mhidden\x9b2J'
    const page = (result: object) => JSON.stringify({ count: 1, next: null, previous: null, results: [result] })
    const { port } = await serve(({ path, method }) => {
      if (method === 'POST')
        return { status: 400, body: JSON.stringify({ detail: evil }).replaceAll('\\u001b', '\x1b') }
      if (path.includes('/releases/')) return { body: page({ version: 1, created: '', summary: evil }) }
      if (path.includes('/config/')) return { body: JSON.stringify({ values: { A: evil } }) }
      if (path.includes('/users/')) return { body: page({ username: evil, is_superuser: false, is_active: true }) }
      return { body: page({ domain: evil }) }
    })
    await loggedIn(`http://127.0.0.1:${port}`)
    for (const [line, to] of [
      ['config -a shop', 'out'],
      ['config --oneline -a shop', 'out'],
      ['releases -a shop', 'out'],
      ['users', 'out'],
      ['domains -a shop', 'out'],
      ['domains:add x.example.com -a shop', 'err'],
    ] as const) {
      const shown = (await deis(line, { terminal: true }))[to]
      expect([line, shown]).toEqual([line, expect.stringMatching(/␛\]0;evil.*␛\[8mhidden.*2J/s)])
      expect(shown.replace(/\x1b\[(\d\d?)m/g, '')).not.toMatch(/[\x07\x1b\x80-\x9f]/)
    }
    expect((await deis('config --oneline -a shop')).out).toBe(`A=${evil}\n`)
    expect((await deis('config:pull -a shop')).out).toBe(`A=${evil}\n`)
    // The same document, and nothing that steers.
    const json = (await deis('config --json -a shop', { terminal: true })).out
    expect(json).not.toMatch(/[\x07\x1b\x80-\x9f]/)
    expect(JSON.parse(json)).toEqual({ values: { A: evil } })
  })

  // A number below 0 was taken for none, and 0 with --follow too.
  test('how many lines', async () => {
    const { port, seen } = await serve(() => ({ headers: { 'content-type': 'text/plain' }, body: lines }))
    await loggedIn(`http://127.0.0.1:${port}`)
    for (const line of ['logs -a shop -n -5', 'logs -a shop -f -n -1'])
      expect(await deis(line)).toEqual({ code: 1, out: '', err: 'Error: --lines must not be negative\n' })
    expect(seen).toEqual([])
    for (const line of ['logs -a shop -n 0', 'logs -a shop -f -n 0', 'logs -a shop -f']) await deis(line)
    expect(seen.map(({ path }) => path)).toEqual([
      '/v2/apps/shop/logs',
      '/v2/apps/shop/logs?log_lines=0&follow=true',
      '/v2/apps/shop/logs?follow=true',
    ])
  })

  test('followed until somebody stops it', async () => {
    const stop = new AbortController()
    const port = await listen(
      createServer((request, response) => {
        expect([request.url, request.headers['accept-encoding']]).toEqual(['/v2/apps/shop/logs?follow=true', undefined])
        response.writeHead(200, { 'content-type': 'text/plain', DEIS_API_VERSION: '2.3' })
        // In the middle of a line, and of a letter.
        const octets = Buffer.from(lines)
        const middle = lines.indexOf('é') + 1
        response.write(octets.subarray(0, middle))
        setImmediate(() => response.write(octets.subarray(middle)))
        response.on('close', () => closed.resolve())
      }),
    )
    const closed = Promise.withResolvers<void>()
    await loggedIn(`http://127.0.0.1:${port}`)
    let heard = ''
    const said = await deis('logs -a shop --follow', {
      signal: stop.signal,
      listen: text => {
        heard += text
        if (heard === lines) stop.abort()
      },
    })
    expect(said).toEqual({ code: 0, out: lines, err: '' })
    await closed.promise
  })
})

test('a log that breaks off is shown to its last letter', async () => {
  const port = await listen(
    createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain', DEIS_API_VERSION: '2.3' })
      response.write('one\ntwo, and its e', () => response.destroy())
    }),
  )
  await loggedIn(`http://127.0.0.1:${port}`)
  const { code, out, err } = await deis('logs -a shop -f')
  expect([code, out]).toEqual([1, 'one\ntwo, and its e\n'])
  expect(err).toMatch(
    /^Error: The answer of http:\/\/127\.0\.0\.1:\d+ broke off.*\nNothing was to be changed: try again\.\n$/,
  )
})

describe('--debug', () => {
  test('shows requests without secrets', async () => {
    const { port } = await serve(({ path }) =>
      path === '/v2/' ? { status: 401 } : { body: '{"token":"very-secret","values":{}}' },
    )
    const login = await deis(`login http://127.0.0.1:${port} --username=alice --password=hunter2 --debug`)
    const set = await deis('config:set KEY=hunter2 -a shop --debug')
    const all = login.err + set.err
    expect(all).toContain(`POST http://127.0.0.1:${port}/v2/auth/login/\n`)
    expect(all).toContain('{"username":"alice","password":"***"}')
    expect(all).toContain('{"values":{"KEY":"***"}}')
    expect(all).not.toContain('hunter2')
    expect(all).not.toContain('very-secret')
  })

  test('shows where an error comes from, and nothing else does', async () => {
    await loggedIn('http://deis.invalid')
    expect((await deis('apps --debug')).err).toContain('\n    at ')
    expect((await deis('apps')).err).not.toContain('    at ')
  })
})
