// What nobody should send: answered with 4xx, never 5xx, and nothing of it kept (controller contract, section 1).

import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Metrics } from '#controller/api/metrics.ts'
import { ok, operation, resource } from '#controller/api/resource.ts'
import { createServer, standardTimes } from '#controller/api/server.ts'
import { createLogger } from '#kit/log.ts'
import { builderKey, ControllerStage, quick } from '#test/support/controller-stage.ts'
import { onEachDatabase } from '#test/support/databases.ts'
import { connectTo } from '#test/support/peer.ts'

/** Ways to send a body, with the fields that are looked into; not passwords and images, which are any text. */
const targets: readonly [method: string, path: string, fields: readonly string[]][] = [
  ['POST', '/v2/auth/register/', ['username', 'password', 'email', 'first_name', 'last_name']],
  ['POST', '/v2/auth/login/', ['username', 'password']],
  ['POST', '/v2/auth/passwd/', ['username']],
  ['DELETE', '/v2/auth/cancel/', ['username']],
  ['POST', '/v2/admin/perms/', ['username']],
  ['POST', '/v2/apps/', ['id']],
  ['POST', '/v2/apps/shop/', ['owner']],
  ['POST', '/v2/apps/shop/builds/', ['sha', 'procfile', 'dockerfile']],
  ['POST', '/v2/apps/shop/releases/rollback/', ['version']],
  ['POST', '/v2/apps/shop/config/', ['values', 'memory', 'cpu', 'tags', 'registry', 'healthcheck']],
  ['POST', '/v2/apps/shop/scale/', ['web', '__proto__']],
  ['POST', '/v2/apps/shop/run', ['command']],
  ['POST', '/v2/apps/shop/domains/', ['domain']],
  ['POST', '/v2/apps/shop/settings/', ['maintenance', 'routable', 'autoscale', 'label', 'whitelist']],
  ['POST', '/v2/apps/shop/whitelist/', ['addresses']],
  ['DELETE', '/v2/apps/shop/whitelist/', ['addresses']],
  ['POST', '/v2/apps/shop/tls/', ['https_enforced']],
  ['POST', '/v2/apps/shop/perms/', ['username']],
  ['POST', '/v2/certs/', ['name', 'certificate', 'key']],
  ['POST', '/v2/certs/none/domain/', ['domain']],
  ['POST', '/v2/keys/', ['id', 'public']],
  ['POST', '/v2/hooks/config/', ['receive_user', 'receive_repo']],
  ['POST', '/v2/hooks/build/', ['receive_user', 'receive_repo', 'sha', 'procfile', 'dockerfile']],
]

/** JSON texts of one value: texts and numbers that a database may have words about. */
const values: readonly [name: string, text: string][] = [
  ['NUL', '"a\\u0000b"'],
  ['NUL in a key', '{"a\\u0000b":"c"}'],
  ['NUL in a value', '{"web":"a\\u0000b","A":"\\u0000"}'],
  ['a lone surrogate', '"\\ud800"'],
  ['a lone surrogate in a key', '{"\\udfff":"c"}'],
  ['a lone surrogate in a value', '{"web":"\\ud800","A":"\\ud800"}'],
  ['a huge number', '1e999'],
  ['a number beyond integers', '123456789012345678901234567890'],
  ['a negative number', '-1'],
  ['a fraction', '0.5'],
  ['huge numbers within', '{"web":1e999,"A":-1e999,"B":99999999999999999999}'],
  ['control characters', '"a\\r\\nSet-Cookie: x\\u001b[31m"'],
  ['a right-to-left mark', '"\\u202eabc"'],
  ['spaces', '"  \\t "'],
  ['quotes', '"\'; drop table users; --"'],
]

/** The same: of a type or a form that no database gets to see. */
const shapes: typeof values = [
  ['null', 'null'],
  ['a list', '[]'],
  ['a list of lists', '[[],[{}]]'],
  ['an object', '{"a":{"b":[1]}}'],
  ['true', 'true'],
  ['__proto__', '{"__proto__":{"x":1},"constructor":{"prototype":{"x":1}}}'],
  ['__proto__ as a type', '{"__proto__":"x","constructor":"y","toString":"z","hasOwnProperty":"w"}'],
  ['JSON in a string', '"{\\"__proto__\\": null, \\"toString\\": null}"'],
  ['not JSON in a string', '"{"'],
]

/** The same: what is refused before a database sees it. */
const largeValues: typeof values = [
  ['deep', `${'['.repeat(50_000)}${']'.repeat(50_000)}`],
  ['deep objects', `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`],
  ['deep within', `{"web":${'['.repeat(20_000)}${']'.repeat(20_000)}}`],
  ['long', `"${'a'.repeat(1_000_000)}"`],
  ['long, not ASCII', `"${'\u{1f600}'.repeat(100_000)}"`],
  ['many keys', `{${Array.from({ length: 20_000 }, (_, index) => `"k${index}":"v"`).join(',')}}`],
  ['many items', `[${Array.from({ length: 20_000 }, () => '"192.0.2.1"').join(',')}]`],
]

/** Values that a field may well have. */
const fine = new Map([
  ['null', ['id']],
  ['true', ['maintenance', 'https_enforced']],
  ['__proto__ as a type', ['values', 'label']],
])

/** Bodies that are no fields at all. */
const bodies: readonly [name: string, body: string | Uint8Array, type: string, status: number][] = [
  ['half an object', '{', 'application/json', 400],
  ['two values', '{} {}', 'application/json', 400],
  ['single quotes', "{'a': 1}", 'application/json', 400],
  ['NaN', '{"a": NaN}', 'application/json', 400],
  ['a text', '"text"', 'application/json', 400],
  ['null', 'null', 'application/json', 400],
  ['a number', '1', 'application/json', 400],
  ['invalid UTF-8', Buffer.from([0x22, 0xff, 0xfe, 0x22]), 'application/json', 400],
  ['UTF-16', Buffer.from('{"id":"a"}', 'utf16le'), 'application/json', 400],
  ['half a character', Buffer.from('{"id":"\u00e9"}').subarray(0, 8), 'application/json', 400],
  ['XML', '<a/>', 'application/xml', 415],
  ['text', 'a', 'text/plain', 415],
  ['no type that there is', 'a', 'nonsense', 415],
  ['an empty type', 'a', '', 415],
  ['JSON with a prefix', '{}', 'application/jsonx', 415],
  ['multipart without boundary', 'a', 'multipart/form-data', 400],
  ['multipart with another boundary', '--A\r\n\r\n--A--', 'multipart/form-data; boundary=B', 400],
  ['a form of invalid UTF-8', Buffer.from([0x61, 0x3d, 0xff]), 'application/x-www-form-urlencoded', 400],
]

onEachDatabase((fresh, onAny) => {
  let stage: ControllerStage
  let token: string
  const headers = { 'x-deis-builder-auth': builderKey }
  beforeAll(async () => {
    stage = await ControllerStage.start({ database: await fresh(), times: quick })
    token = await stage.user('alice')
    await stage.app(token, 'shop')
  })
  afterAll(async () => {
    expect(stage.log.filter(({ level }) => level === 'error')).toEqual([])
    await stage[Symbol.asyncDispose]()
  })

  /** What can be seen of everything that is stored. */
  const kept = async (): Promise<string> => {
    const paths = [
      'apps/',
      'keys/',
      'certs/',
      'users/',
      ...['', 'config/', 'settings/', 'domains/', 'builds/', 'releases/', 'tls/', 'perms/'].map(
        path => `apps/shop/${path}`,
      ),
    ]
    const replies = await Promise.all(paths.map(path => stage.call('GET', `/v2/${path}`, { token })))
    // The fields of time apart: a request that changes nothing may still say so.
    return JSON.stringify(replies.map(({ status, body }) => [status, body]))
  }

  /** Of the group: nothing that its tests sent leaves anything. A row by itself (`-t`) is looked at by itself. */
  const nothingIsKept = (): void => {
    let before: string
    beforeAll(async () => {
      before = await kept()
    })
    afterAll(async () => {
      expect(await kept()).toBe(before)
    })
  }

  const refused = (values: readonly (readonly [name: string, text: string])[]): void => {
    nothingIsKept()
    for (const [name, text] of values)
      test(name, async () => {
        const wrong: unknown[] = []
        for (const [method, path, fields] of targets)
          for (const field of fields) {
            if (fine.get(name)?.includes(field)) continue
            const reply = await stage.call(method, path, { token, headers, body: `{"${field}":${text}}` })
            if (reply.status < 400 || reply.status >= 500)
              wrong.push([method, path, field, reply.status, JSON.stringify(reply.body).slice(0, 100)])
          }
        expect(wrong).toEqual([])
      })
  }
  describe('values of fields', () => refused(values))
  onAny('types of fields', () => refused(shapes))
  onAny('large values of fields', () => refused(largeValues))

  onAny('bodies', () => {
    nothingIsKept()
    for (const [name, body, type, status] of bodies)
      test(`${name}: ${status}`, async () => {
        for (const [method, path] of targets) {
          const reply = await stage.call(method, path, { token, body, headers: { ...headers, 'content-type': type } })
          expect([method, path, reply.status]).toEqual([method, path, status])
        }
      })

    test('beyond 10 MB: 413, however it says its length', async () => {
      const large = Buffer.alloc(10 * 1024 * 1024 + 1, 0x20)
      for (const [method, path] of targets.slice(0, 4)) {
        const said = await stage.call(method, path, { token, body: large })
        expect([path, said.status, said.body.detail]).toEqual([path, 413, expect.stringContaining('larger')])
      }
      const chunked = await stage.call('POST', '/v2/apps/', {
        ...{ token, body: large },
        headers: { 'transfer-encoding': 'chunked' },
      })
      expect(chunked.status).toBe(413)
      expect(chunked.headers.get('deis_api_version')).toBe('2.3')
      // The most that is read.
      const most = Buffer.concat([Buffer.from('{"id":"-"'), large.subarray(11), Buffer.from('}')])
      expect((await stage.call('POST', '/v2/apps/', { token, body: most })).status).toBe(400)
    })

    test('deep and with an Idempotency-Key', async () => {
      const deep = `{"values":{"A":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`
      const reply = await stage.call('POST', '/v2/apps/shop/config/', {
        ...{ token, body: deep },
        headers: { 'idempotency-key': 'deep' },
      })
      expect(reply.status).toBe(400)
    })
  })

  describe('paths', () => {
    const long = 'a'.repeat(5000)
    // Texts that a database may have words about.
    const texts = [
      '%00',
      'a%00b',
      '%ff',
      '%c0%af',
      '%ed%a0%80',
      long,
      'a'.repeat(1001),
      '%f0%9f%98%80',
      "';--",
      '%0d%0aX:1',
      '%5c..%5c',
      '__proto__',
      'constructor',
    ]
    // What only who takes URLs apart may stumble over.
    const forms = ['..%2f', '..%2f..%2fusers', '%2e%2e', '.', '..', '%', '%zz', '*', 'a;b', 'a%23b', '~']
    const templates = [
      '/v2/apps/ID/',
      '/v2/apps/ID/config/',
      '/v2/apps/shop/domains/ID',
      '/v2/apps/shop/builds/ID/',
      '/v2/apps/shop/releases/ID/',
      '/v2/apps/shop/pods/ID/',
      '/v2/apps/shop/pods/web/ID/',
      '/v2/apps/shop/perms/ID',
      '/v2/certs/ID',
      '/v2/certs/ID/domain/ID',
      '/v2/keys/ID',
      '/v2/admin/perms/ID',
      '/v2/hooks/key/ID',
      '/v2/hooks/keys/ID',
      '/v2/hooks/keys/shop/ID',
      '/v2/ID',
      '/ID',
      '/v2/../ID',
      '/v2/auth/ID/',
    ]
    const ids = (some: readonly string[]): void => {
      nothingIsKept()
      for (const id of some) test(id.slice(0, 30), () => notThere(id))
    }
    const notThere = async (id: string): Promise<void> => {
      for (const template of templates)
        for (const method of ['GET', 'DELETE']) {
          const path = template.replaceAll('ID', id)
          // The one path that is another, existing one: a dot is a name like any other here.
          const reply = await stage.call(method, path, { token, headers })
          const fine = method === 'GET' && path.includes('/pods/') ? [200, 400, 404] : [400, 401, 404, 405, 414, 422]
          expect([method, path.slice(0, 60), fine.includes(reply.status) || reply.status]).toEqual([
            method,
            path.slice(0, 60),
            true,
          ])
        }
    }
    describe('texts', () => ids(texts))
    onAny('forms', () => ids(forms))
    test('queries', async () => {
      for (const query of [
        'limit=%00',
        'limit=%ff',
        '&&&',
        '=',
        '__proto__=1',
        'limit=1&limit=2',
        `a=${long}`,
        '%',
        'limit[]=1',
        'limit[a]=1',
      ])
        expect([query, (await stage.call('GET', `/v2/apps/?${query}`, { token })).status]).toEqual([query, 200])
      for (const lines of ['0', '-1', 'x', '1e9', '999999999999', '%00'])
        expect((await stage.call('GET', `/v2/apps/shop/logs?log_lines=${lines}`, { token })).status).toBe(204)
    })
  })

  onAny('connections', () => {
    const raw = async (octets: string): Promise<number> => {
      await using peer = await connectTo(stage.controller.port)
      await peer.send(octets)
      return (await peer.response()).status
    }
    const line = () => `Authorization: token ${token}\r\n`
    const rows: [name: string, octets: () => string, status: number][] = [
      [
        'two lengths',
        () => `POST /v2/apps/ HTTP/1.1\r\nHost: a\r\n${line()}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`,
        400,
      ],
      [
        'a length and chunks',
        () =>
          `POST /v2/apps/ HTTP/1.1\r\nHost: a\r\n${line()}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
        400,
      ],
      ['no host', () => 'GET /v2/ HTTP/1.1\r\n\r\n', 400],
      ['two hosts', () => 'GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 200],
      ['a host that is none', () => `GET /v2/apps/?limit=1 HTTP/1.1\r\nHost: a b:c/\\\r\n${line()}\r\n`, 200],
      ['a space in the target', () => 'GET /v2/ x HTTP/1.1\r\nHost: a\r\n\r\n', 400],
      ['bare LF in a header', () => 'GET /v2/ HTTP/1.1\r\nHost: a\r\nX: a\nY: b\r\n\r\n', 400],
      ['a header too large', () => `GET /v2/ HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
      ['too many headers', () => `GET /v2/ HTTP/1.1\r\nHost: a\r\n${'X: y\r\n'.repeat(5000)}\r\n`, 431],
      ['HTTP/2', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
      ['OPTIONS *', () => 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n', 404],
      ['CONNECT', () => 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n', 0],
      ['TRACE', () => 'TRACE /v2/ HTTP/1.1\r\nHost: a\r\n\r\n', 401],
    ]
    for (const [name, octets, status] of rows)
      test(`${name}: ${status || 'closed'}`, async () => {
        if (status !== 0) expect(await raw(octets())).toBe(status)
        else {
          const socket = connect(stage.controller.port, '127.0.0.1')
          socket.write(octets())
          socket.resume()
          await once(socket, 'close')
        }
        expect((await stage.call('GET', '/healthz')).status).toBe(200)
      })

    test('who closes his half after the request may be answered or not', async () => {
      await using peer = await connectTo(stage.controller.port)
      await peer.send(`GET /v2/ HTTP/1.1\r\nHost: a\r\n${line()}\r\n`)
      peer.end()
      await peer.ended()
      expect((await stage.call('GET', '/healthz')).status).toBe(200)
    })

    test('who goes in the middle of a body leaves nothing', async () => {
      const socket = connect(stage.controller.port, '127.0.0.1')
      socket.write(
        `POST /v2/apps/ HTTP/1.1\r\nHost: a\r\n${line()}Content-Type: application/json\r\nContent-Length: 20\r\n\r\n{"id":"half`,
      )
      await once(socket, 'connect')
      socket.end()
      socket.resume()
      await once(socket, 'close')
      expect((await stage.call('GET', '/v2/apps/half/', { token })).status).toBe(404)
    })
  })
})

test('who sends too slowly is answered 408', async () => {
  const server = createServer({
    resources: [
      resource(
        '/slow',
        { scheme: null, admit: async () => null },
        {
          POST: operation({ summary: '', answers: { 200: null }, handle: async () => ok() }),
        },
      ),
    ],
    log: createLogger({ destination: { write: () => {} } }),
    metrics: new Metrics(),
    trustedProxies: [],
    checkAnswers: false,
    closing: new AbortController().signal,
    times: { ...standardTimes, request: 50, headers: 50, check: 10 },
  })
  await server.listen({ host: '127.0.0.1', port: 0 })
  const { port } = server.server.address() as { port: number }
  for (const octets of [
    'POST /slow HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{',
    'POST /slow HTTP/1.1\r\nHost',
  ]) {
    await using peer = await connectTo(port)
    await peer.send(octets)
    expect((await peer.response()).status).toBe(408)
  }
  await server.close()
})
