// What all answers of the API have in common: controller contract, section 1.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ControllerStage, quick } from '#test/support/controller-stage.ts'
import { onEachDatabase } from '#test/support/databases.ts'
import { connectTo } from '#test/support/peer.ts'

const unauthenticated = { detail: 'Authentication credentials were not provided.' }

onEachDatabase((fresh, onAny) => {
  let stage: ControllerStage
  let token: string
  beforeAll(async () => {
    stage = await ControllerStage.start({ database: await fresh(), times: quick })
    token = await stage.user('alice')
    for (const id of ['one', 'three', 'two']) await stage.app(token, id)
  })
  afterAll(async () => {
    expect(stage.log.filter(({ level }) => level === 'error')).toEqual([])
    await stage[Symbol.asyncDispose]()
  })

  const call = (method: string, path: string, body?: unknown, headers = {}) =>
    stage.call(method, path, { token, headers, ...(body === undefined ? {} : { body }) })
  const stranger = (method: string, path: string, body?: unknown, headers = {}) =>
    stage.call(method, path, { headers, ...(body === undefined ? {} : { body }) })

  onAny('version headers are on every answer', () => {
    const rows: [name: string, status: number, ask: () => ReturnType<typeof call>][] = [
      ['200', 200, () => call('GET', '/v2/')],
      ['201', 201, () => call('POST', '/v2/apps/one/perms/', { username: 'alice' })],
      ['204', 204, () => call('GET', '/v2/apps/one/logs')],
      ['HEAD', 200, () => call('HEAD', '/v2/apps/')],
      ['OPTIONS', 200, () => call('OPTIONS', '/v2/apps/')],
      ['health', 200, () => stranger('GET', '/healthz')],
      ['readiness', 200, () => stranger('GET', '/readiness')],
      ['the document', 200, () => stranger('GET', '/v2/openapi.json')],
      ['400', 400, () => call('POST', '/v2/apps/', '{')],
      ['401', 401, () => stranger('GET', '/v2/')],
      ['404 of an object', 404, () => call('GET', '/v2/apps/none/')],
      ['404 of a URL', 404, () => call('GET', '/nowhere')],
      ['404 of a URL, POST', 404, () => stranger('POST', '/nowhere', {})],
      ['404 of a method nobody knows', 404, () => call('PROPFIND', '/v2/apps/')],
      ['405', 405, () => call('PUT', '/v2/apps/')],
      ['405 of health', 405, () => stranger('POST', '/healthz')],
      ['415', 415, () => call('POST', '/v2/apps/', 'x', { 'content-type': 'text/plain' })],
      ['a path that does not decode', 400, () => call('GET', '/v2/apps/%ff/')],
    ]
    for (const [name, status, ask] of rows)
      test(name, async () => {
        const reply = await ask()
        expect(reply.status).toBe(status)
        expect(Object.fromEntries(reply.headers)).toMatchObject({
          deis_api_version: '2.3',
          deis_platform_version: '2.3.0',
          'x-frame-options': 'DENY',
          'x-content-type-options': 'nosniff',
          'x-xss-protection': '1; mode=block',
          'access-control-allow-origin': '*',
          'access-control-expose-headers': expect.stringMatching(/DEIS_API_VERSION, DEIS_PLATFORM_VERSION/),
        })
      })

    test('also on what is no HTTP, and what has too large a header', async () => {
      for (const [octets, status] of [
        ['nonsense\r\n\r\n', 400],
        [`GET /v2/ HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
      ] as const) {
        await using peer = await connectTo(stage.controller.port)
        await peer.send(octets)
        const response = await peer.response()
        expect(response.status).toBe(status)
        expect(response.fields.map(({ name }) => name)).toContain('DEIS_API_VERSION')
      }
    })

    test('written with underscores, in capitals', async () => {
      await using peer = await connectTo(stage.controller.port)
      await peer.send('GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n')
      const { fields } = await peer.response()
      expect(fields.map(({ name }) => name.toUpperCase())).toContain('DEIS_API_VERSION')
    })
  })

  onAny('probe', () => {
    test('without a token 401 with the version, with one {}', async () => {
      const probe = await stranger('GET', '/v2/')
      expect([probe.status, probe.body, probe.headers.get('www-authenticate')]).toEqual([401, unauthenticated, 'Token'])
      expect(await call('GET', '/v2/')).toMatchObject({ status: 200, body: {} })
    })
    test('with a slash too many', async () => {
      expect((await stranger('GET', '//v2/')).status).toBe(401)
      expect((await call('GET', '//v2///apps//?limit=1')).body.results).toHaveLength(1)
    })
    test('as a proxy is asked, with the whole URL', async () => {
      await using peer = await connectTo(stage.controller.port)
      await peer.send('GET http://deis.example.com/v2/ HTTP/1.1\r\nHost: deis.example.com\r\n\r\n')
      expect((await peer.response()).status).toBe(401)
    })
  })

  onAny('content types', () => {
    const rows: [path: string, type: string | null, token?: boolean][] = [
      ['/v2/', 'application/json'],
      ['/v2/apps/none/', 'application/json'],
      ['/nowhere', 'text/html'],
      ['/v2/apps/one/logs', null],
    ]
    for (const [path, type] of rows)
      test(`GET ${path}: ${type}`, async () => {
        expect(
          (await call('GET', path)).headers
            .get('content-type')
            ?.replace(/; charset=utf-8$/, type === 'text/html' ? '' : '$&') ?? null,
        ).toBe(type)
      })
    test('Allow is on answers of the API', async () => {
      expect((await call('GET', '/v2/apps/')).headers.get('allow')).toBe('GET, POST, HEAD, OPTIONS')
      expect((await call('PUT', '/v2/certs/')).headers.get('allow')).toBe('GET, POST, HEAD, OPTIONS')
      expect((await stranger('DELETE', '/v2/auth/cancel/')).headers.get('allow')).toBe('DELETE, HEAD, OPTIONS')
    })
    test('a preflight names methods and headers', async () => {
      const { headers, status } = await stranger('OPTIONS', '/v2/apps/', undefined, {
        origin: 'http://ui.example.com',
        'access-control-request-method': 'DELETE',
      })
      expect(status).toBe(200)
      expect(headers.get('access-control-allow-headers')?.split(', ')).toEqual(
        expect.arrayContaining(['content-type', 'accept', 'origin', 'Authorization', 'Host']),
      )
      expect(headers.get('access-control-allow-methods')).toContain('DELETE')
    })
  })

  onAny('trailing slashes', () => {
    const optional: [method: string, path: string][] = [
      ['GET', '/v2/auth/whoami'],
      ['GET', '/v2/apps'],
      ['GET', '/v2/apps/one'],
      ['GET', '/v2/apps/one/logs'],
      ['POST', '/v2/apps/one/run'],
      ['GET', '/v2/apps/one/releases/v1'],
      ['GET', '/v2/apps/one/pods/web/x'],
      ['DELETE', '/v2/apps/one/domains/none.example.com'],
      ['GET', '/v2/users'],
      ['GET', '/v2/certs/none'],
      ['POST', '/v2/certs/none/domain'],
      ['GET', '/v2/hooks/keys/one'],
      ['GET', '/healthz'],
      ['GET', '/readiness'],
    ]
    for (const [method, path] of optional)
      test(`${method} ${path}: with and without`, async () => {
        const [bare, slashed] = [await call(method, path), await call(method, `${path}/`)]
        expect([slashed.status, slashed.body]).toEqual([bare.status, bare.body])
        expect(bare.headers.get('content-type') ?? '').not.toContain('html')
      })
    const required = ['/v2/auth/login', '/v2/auth/tokens']
    for (const path of required)
      test(`POST ${path}: required`, async () => {
        const bare = await call('POST', path, {})
        expect([bare.status, bare.headers.get('content-type')]).toEqual([404, expect.stringContaining('text/html')])
        expect((await stranger('POST', `${path}/`, {})).status).not.toBe(404)
      })
    const forbidden: [method: string, path: string][] = [
      ['GET', '/v2/keys/none'],
      ['GET', '/v2/hooks/key/aa:bb'],
      ['DELETE', '/v2/certs/none/domain/a.example.com'],
      ['GET', '/v2/hooks/keys/one/alice'],
    ]
    for (const [method, path] of forbidden)
      test(`${method} ${path}: none may follow`, async () => {
        expect((await call(method, path)).headers.get('content-type')).toBe('application/json')
        const slashed = await call(method, `${path}/`)
        expect([slashed.status, slashed.headers.get('content-type')]).toEqual([404, expect.stringContaining('html')])
      })
  })

  describe('paths are decoded', () => {
    test('%2A in a domain, @ and space in a key', async () => {
      expect((await call('POST', '/v2/apps/one/domains/', { domain: '*.Foo.com' })).status).toBe(201)
      expect((await call('DELETE', '/v2/apps/one/domains/%2A.foo.com')).status).toBe(204)
      expect((await call('POST', '/v2/apps/one/domains/', { domain: '*.foo.com' })).status).toBe(201)
      expect((await call('DELETE', '/v2/apps/one/domains/*.foo.com')).status).toBe(204)
      const id = 'me@home of mine/x'
      const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH'
      expect((await call('POST', '/v2/keys/', { id, public: key })).status).toBe(201)
      expect((await call('GET', `/v2/keys/${encodeURIComponent(id)}`)).body.id).toBe(id)
      expect((await call('DELETE', `/v2/keys/${encodeURIComponent(id)}`)).status).toBe(204)
    })
    test('an app is named by a-z, 0-9 and hyphens: anything else is no URL of ours', async () => {
      for (const id of ['One', 'on_e', 'a.b', '%20', 'a%2fb']) {
        const { status, headers } = await call('GET', `/v2/apps/${id}/`)
        expect([id, status, headers.get('content-type')]).toEqual([id, 404, expect.stringContaining('text/html')])
      }
    })
  })

  onAny('bodies', () => {
    test('empty ones are none, whatever their type', async () => {
      const { status, body } = await call('POST', '/v2/apps/', '')
      expect([status, body.id]).toEqual([201, expect.stringMatching(/^[a-z]+-[a-z]+/)])
      expect((await call('DELETE', `/v2/apps/${body.id}/`, '')).status).toBe(204)
      expect((await call('POST', '/v2/apps/one/releases/rollback/', '')).body).toEqual({
        detail: 'version cannot be below 0',
      })
      expect((await call('POST', '/v2/apps/one/pods/restart/', '')).body).toEqual([])
      expect((await call('GET', '/v2/apps/', '')).status).toBe(200)
      const other = await stage.user()
      const renewed = await stage.call('POST', '/v2/auth/tokens/', { token: other, body: '' })
      expect(renewed.body).toEqual({ token: expect.stringMatching(/^[0-9a-f]{40}$/) })
    })
    test('of DELETE are read', async () => {
      expect((await call('POST', '/v2/apps/two/whitelist/', { addresses: ['192.0.2.1'] })).status).toBe(201)
      expect((await call('DELETE', '/v2/apps/two/whitelist/', { addresses: ['192.0.2.2'] })).status).toBe(422)
      expect((await call('DELETE', '/v2/apps/two/whitelist/', { addresses: ['192.0.2.1'] })).status).toBe(204)
    })
    test('may be forms', async () => {
      const form = await call('POST', '/v2/apps/two/domains/', 'domain=form.example.com&x=%C3%A9', {
        'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
      })
      expect([form.status, form.body.domain]).toEqual([201, 'form.example.com'])
      const parts = '--B\r\nContent-Disposition: form-data; name="domain"\r\n\r\nparts.example.com\r\n--B--\r\n'
      const multipart = await call('POST', '/v2/apps/two/domains/', parts, {
        'content-type': 'multipart/form-data; boundary=B',
      })
      expect([multipart.status, multipart.body.domain]).toEqual([201, 'parts.example.com'])
    })
    test('fields that are not known, and those that are only read, are not looked at', async () => {
      const body = { domain: 'more.example.com', owner: 'mallory', app: 'one', uuid: 'x', nothing: [] }
      expect((await call('POST', '/v2/apps/two/domains/', body)).body).toMatchObject({ owner: 'alice', app: 'two' })
    })
    test('texts are trimmed', async () => {
      expect((await call('POST', '/v2/apps/two/domains/', { domain: ' trim.example.com ' })).body.domain).toBe(
        'trim.example.com',
      )
    })
  })

  onAny('order of checks', () => {
    const rows: [name: string, status: number, ask: () => ReturnType<typeof call>][] = [
      ['who, then method', 401, () => stranger('PUT', '/v2/apps/')],
      ['method, for whoever is known', 405, () => call('PUT', '/v2/apps/')],
      ['POST of releases', 405, () => call('POST', '/v2/apps/one/releases/', {})],
      ['PATCH', 405, () => call('PATCH', '/v2/apps/one/', {})],
      ['who, then app', 401, () => stranger('GET', '/v2/apps/none/')],
      ['app, then method', 404, () => call('PUT', '/v2/apps/none/')],
      ['method, then body', 405, () => call('PUT', '/v2/apps/', '{')],
      ['who, then body', 401, () => stranger('POST', '/v2/apps/', '{')],
      ['who, then type', 401, () => stranger('POST', '/v2/apps/', 'x', { 'content-type': 'text/plain' })],
      ['parse, then validate', 400, () => call('POST', '/v2/apps/', '{"id":"A"')],
    ]
    for (const [name, status, ask] of rows) test(name, async () => expect((await ask()).status).toBe(status))

    test('rights come before the body', async () => {
      const bob = await stage.user('bob')
      await call('POST', '/v2/apps/three/perms/', { username: 'bob' })
      for (const [method, path] of [
        ['POST', '/v2/apps/three/perms/'],
        ['POST', '/v2/apps/three/'],
        ['DELETE', '/v2/apps/three/whitelist/'],
        ['POST', '/v2/apps/one/scale/'],
        ['POST', '/v2/admin/perms/'],
        ['POST', '/v2/hooks/build/'],
      ] as const)
        expect([path, (await stage.call(method, path, { token: bob, body: '{' })).status]).toEqual([path, 403])
    })

    test('in their words', async () => {
      expect((await call('PUT', '/v2/apps/')).body).toEqual({ detail: 'Method "PUT" not allowed.' })
      expect((await call('POST', '/v2/apps/', 'x', { 'content-type': 'text/plain' })).body).toEqual({
        detail: 'Unsupported media type "text/plain" in request.',
      })
      expect((await call('POST', '/v2/apps/', '{"id"')).body).toEqual({
        detail: expect.stringMatching(/^JSON parse error - /),
      })
      expect((await call('GET', '/v2/apps/none/')).body).toBe('No App matches the given query.')
      expect((await call('POST', '/v2/apps/', [])).body).toEqual({
        non_field_errors: ['Invalid data. Expected a dictionary, but got list.'],
      })
    })
  })

  describe('dates and ids', () => {
    test('UTC without a fraction; UUIDs of version 4, lower-case', async () => {
      const { body } = await call('GET', '/v2/apps/one/')
      expect(body.created).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
      expect(body.uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    })
  })

  describe('pages', () => {
    const names = ({ body }: { body: { results: { id: string }[] } }) => body.results.map(({ id }) => id)
    test('links keep the limit, and are absolute', async () => {
      const first = await call('GET', '/v2/apps/?limit=1', undefined, { host: 'deis.example.com:8080' })
      expect([first.body.count, names(first), first.body.previous]).toEqual([3, ['one'], null])
      expect(first.body.next).toBe('http://deis.example.com:8080/v2/apps/?limit=1&offset=1')
      const second = await call('GET', '/v2/apps/?limit=1&offset=1')
      expect(names(second)).toEqual(['three'])
      expect(second.body.previous).toMatch(/\/v2\/apps\/\?limit=1$/)
      const last = await call('GET', '/v2/apps/?limit=1&offset=2')
      expect([names(last), last.body.next]).toEqual([['two'], null])
      expect(last.body.previous).toMatch(/\?limit=1&offset=1$/)
    })
    test('behind a proxy links are as the client wrote them', async () => {
      const forwarded = { host: 'deis.example.com', 'x-forwarded-proto': 'https', 'x-forwarded-for': '192.0.2.1' }
      expect((await call('GET', '/v2/apps/?limit=1', undefined, forwarded)).body.next).toMatch(
        /^https:\/\/deis\.example\.com\/v2/,
      )
    })
    for (const junk of [
      'limit=0',
      'limit=-1',
      'limit=x',
      'limit=',
      'limit=1.5',
      'limit=1e1',
      'limit=99999999999999999999',
      'offset=x',
      'offset=-1',
      'limit=%00',
    ])
      test(`${junk} is as if it were not there`, async () => {
        expect((await call('GET', `/v2/apps/?${junk}`)).body).toMatchObject({ count: 3, next: null, previous: null })
      })
    test('beyond the end there is nothing', async () => {
      expect((await call('GET', '/v2/apps/?offset=99')).body).toMatchObject({ count: 3, results: [], next: null })
    })
    for (const path of [
      '/v2/apps/',
      '/v2/apps/one/builds/',
      '/v2/apps/one/releases/',
      '/v2/apps/one/domains/',
      '/v2/certs/',
      '/v2/keys/',
      '/v2/users/',
      '/v2/admin/perms/',
    ])
      test(`${path} is a page`, async () => {
        expect(Object.keys((await call('GET', path)).body)).toEqual(['count', 'next', 'previous', 'results'])
      })
    test('processes are no page', async () => {
      expect((await call('GET', '/v2/apps/one/pods/?limit=1000')).body).toEqual({ results: [], count: 0 })
    })
  })

  onAny('section 2: identity', () => {
    const credentials: [name: string, authorization: string, status: number, detail?: string][] = [
      ['another scheme is none', 'Bearer abc', 401, 'Authentication credentials were not provided.'],
      ['Basic is none', 'Basic YTpi', 401, 'Authentication credentials were not provided.'],
      ['a token of nobody', `token ${'0'.repeat(40)}`, 401, 'Invalid token.'],
      ['no token', 'token', 401, 'Invalid token.'],
      ['two tokens', 'token a b', 401, 'Invalid token.'],
      ['not ASCII', 'token \u00ff', 401, 'Invalid token.'],
    ]
    for (const [name, authorization, status, detail] of credentials)
      test(name, async () => {
        const reply = await stranger('GET', '/v2/', undefined, { authorization })
        expect([reply.status, reply.body]).toEqual([status, { detail }])
      })
    test('letter case of the scheme does not count', async () => {
      for (const scheme of ['token', 'Token', 'TOKEN'])
        expect((await stranger('GET', '/v2/', undefined, { authorization: `${scheme} ${token}` })).status).toBe(200)
    })
    test('of two headers the first counts', async () => {
      await using peer = await connectTo(stage.controller.port)
      const lines = [`Authorization: token ${'0'.repeat(40)}`, `Authorization: token ${token}`].join('\r\n')
      await peer.send(`GET /v2/ HTTP/1.1\r\nHost: a\r\n${lines}\r\n\r\n`)
      expect((await peer.response()).status).toBe(401)
    })
  })
})
