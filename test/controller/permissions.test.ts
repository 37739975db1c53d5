// Who may call what (controller contract, sections 2 and 3): every method of every path that the API's own document
// lists, by everybody. A new one without a row fails here.

import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { selfSign } from '#kit/self-signed.ts'
import { builderKey, ControllerStage, quick } from '#test/support/controller-stage.ts'
import { onEachDatabase } from '#test/support/databases.ts'
import { publicKey } from '#test/support/public-key.ts'

const callers = ['anonymous', 'stranger', 'collaborator', 'owner', 'admin', 'builder'] as const
type CallerName = (typeof callers)[number]

/** Statuses of those who are not admitted; absent: admitted. */
type Rule = Readonly<Partial<Record<CallerName, number>>>

const noToken = { anonymous: 401, builder: 401 } as const
const rules = {
  public: {},
  user: noToken,
  admin: { ...noToken, stranger: 403, collaborator: 403, owner: 403 },
  app: { ...noToken, stranger: 403 },
  appOwner: { ...noToken, stranger: 403, collaborator: 403 },
  /** Of the owner: for administrators as well there are none but their own. */
  own: { ...noToken, stranger: 404, collaborator: 404, admin: 404 },
  /** None of them: a name and a password count, see registry-token.test.ts. */
  basic: { ...noToken, stranger: 401, collaborator: 401, owner: 401, admin: 401 },
  builder: { anonymous: 401, stranger: 403, collaborator: 403, owner: 403, admin: 403 },
} as const satisfies Record<string, Rule>

interface Row {
  readonly rule: keyof typeof rules
  /** Status for those who are admitted. */
  readonly status: number
  readonly body?: unknown
}

const row = (rule: Row['rule'], status: number, body?: unknown): Row => ({ rule, status, body })

/** Bodies are such that nothing is changed that another row needs. */
const rows: Readonly<Record<string, Row>> = {
  'GET /v2/': row('user', 200),
  'GET /healthz': row('public', 200),
  'GET /readiness': row('public', 200),
  'GET /v2/openapi.json': row('public', 200),
  'POST /v2/auth/register/': row('public', 400),
  'POST /v2/auth/login/': row('public', 400),
  'POST /v2/auth/passwd/': row('user', 400),
  'POST /v2/auth/tokens/': row('user', 400, { all: 'perhaps' }),
  // Everybody owns an app.
  'DELETE /v2/auth/cancel/': row('user', 409),
  'GET /v2/auth/whoami/': row('user', 200),
  'GET /v2/users/': row('admin', 200),
  'GET /v2/admin/perms/': row('admin', 200),
  'POST /v2/admin/perms/': row('admin', 404, { username: 'nobody' }),
  'DELETE /v2/admin/perms/{username}/': row('admin', 204),
  'GET /v2/keys/': row('user', 200),
  'POST /v2/keys/': row('user', 400),
  'GET /v2/keys/{key}': row('own', 200),
  'DELETE /v2/keys/{key}': row('own', 204),
  'GET /v2/certs/': row('user', 200),
  'POST /v2/certs/': row('user', 400),
  'GET /v2/certs/{name}/': row('own', 200),
  'DELETE /v2/certs/{name}/': row('own', 204),
  'POST /v2/certs/{name}/domain/': row('own', 400),
  'POST /v2/certs/{name}/domain/{domain}': row('own', 201),
  'DELETE /v2/certs/{name}/domain/{domain}': row('own', 204),
  'GET /v2/apps/': row('user', 200),
  'POST /v2/apps/': row('user', 400, { id: '-' }),
  'GET /v2/apps/{id}/': row('app', 200),
  'POST /v2/apps/{id}/': row('appOwner', 400),
  'DELETE /v2/apps/{id}/': row('appOwner', 204),
  'GET /v2/apps/{id}/logs/': row('app', 204),
  'POST /v2/apps/{id}/run/': row('app', 400),
  'GET /v2/apps/{id}/events/': row('app', 200),
  'GET /v2/apps/{id}/builds/': row('app', 200),
  'POST /v2/apps/{id}/builds/': row('app', 400),
  'GET /v2/apps/{id}/builds/{build}/': row('app', 404),
  'GET /v2/apps/{id}/releases/': row('app', 200),
  'GET /v2/apps/{id}/releases/{version}/': row('app', 200),
  'POST /v2/apps/{id}/releases/rollback/': row('app', 400),
  'GET /v2/apps/{id}/config/': row('app', 200),
  'POST /v2/apps/{id}/config/': row('app', 201, { values: { A: 'b' } }),
  'POST /v2/apps/{id}/scale/': row('app', 400),
  'GET /v2/apps/{id}/pods/': row('app', 200),
  'GET /v2/apps/{id}/pods/{type}/': row('app', 200),
  'GET /v2/apps/{id}/pods/{type}/{name}/': row('app', 200),
  'POST /v2/apps/{id}/pods/restart/': row('app', 200),
  'POST /v2/apps/{id}/pods/{type}/restart/': row('app', 200),
  'POST /v2/apps/{id}/pods/{type}/{name}/restart/': row('app', 200),
  'GET /v2/apps/{id}/domains/': row('app', 200),
  'POST /v2/apps/{id}/domains/': row('app', 400),
  'DELETE /v2/apps/{id}/domains/{domain}/': row('appOwner', 204),
  'GET /v2/apps/{id}/settings/': row('app', 200),
  'POST /v2/apps/{id}/settings/': row('app', 201, { maintenance: true }),
  'GET /v2/apps/{id}/whitelist/': row('app', 200),
  'POST /v2/apps/{id}/whitelist/': row('app', 201, { addresses: ['192.0.2.2'] }),
  'DELETE /v2/apps/{id}/whitelist/': row('appOwner', 422, { addresses: ['192.0.2.1'] }),
  'GET /v2/apps/{id}/tls/': row('app', 200),
  'POST /v2/apps/{id}/tls/': row('app', 201, { https_enforced: true }),
  'GET /v2/apps/{id}/perms/': row('app', 200),
  'POST /v2/apps/{id}/perms/': row('appOwner', 404, { username: 'nobody' }),
  // The collaborator's own.
  'DELETE /v2/apps/{id}/perms/{username}/': row('app', 204),
  'GET /v2/hooks/key/{fingerprint}': row('builder', 200),
  'GET /v2/hooks/keys/{id}/': row('builder', 200),
  'GET /v2/hooks/keys/{id}/{username}': row('builder', 404),
  'POST /v2/hooks/config/': row('builder', 400),
  'POST /v2/hooks/build/': row('builder', 400),
  'GET /v2/registry/token/': row('basic', 200),
  // Without a URL.
  'GET /v2/router/explain/': row('user', 400),
}

const pair = selfSign(['a.example.com'], 30, Date.now())

onEachDatabase((fresh, onAny) => {
  let stage: ControllerStage
  const tokens = new Map<CallerName, string>()
  beforeAll(async () => {
    stage = await ControllerStage.start({ database: await fresh(), times: quick })
    for (const name of ['admin', 'stranger', 'collaborator', 'owner'] as const) {
      tokens.set(name, await stage.user(name))
      await stage.app(tokens.get(name)!)
    }
    await stage.user('plain')
  })
  afterAll(async () => {
    expect(stage.log.filter(({ level }) => level === 'error')).toEqual([])
    await stage[Symbol.asyncDispose]()
  })

  const as = (name: CallerName, method: string, path: string, body?: unknown) =>
    stage.call(method, path, {
      token: tokens.get(name) ?? null,
      headers: name === 'builder' ? { 'x-deis-builder-auth': builderKey } : {},
      ...(body === undefined ? {} : { body }),
    })

  /** An app of the owner's, shared with the collaborator, a domain, and a key and certificate of the owner. */
  let made = 0
  const scene = async () => {
    const id = await stage.app(tokens.get('owner')!, `app-${++made}`)
    const domain = `${id}.example.com`
    const { text, fingerprint } = publicKey()
    const calls: [path: string, body: unknown][] = [
      [`/v2/apps/${id}/perms/`, { username: 'collaborator' }],
      [`/v2/apps/${id}/domains/`, { domain }],
      ['/v2/keys/', { id, public: text }],
      ['/v2/certs/', { name: id, certificate: pair.chain, key: pair.key }],
    ]
    for (const [path, body] of calls) expect((await as('owner', 'POST', path, body)).status).toBe(201)
    return { id, domain, fingerprint }
  }

  /** For those who change nothing. */
  let shared: Awaited<ReturnType<typeof scene>> | null = null

  const parameters = ({ id, domain, fingerprint }: Awaited<ReturnType<typeof scene>>, path: string) =>
    ({
      ...{ id, domain, fingerprint, key: id, name: path.includes('pods') ? `${id}-web-x` : id, type: 'web' },
      version: 'v1',
      build: randomUUID(),
      username: path.startsWith('/v2/admin') ? 'plain' : 'collaborator',
    }) as Readonly<Record<string, string>>

  const documented = async (): Promise<string[]> => {
    const { body } = await stage.call('GET', '/v2/openapi.json')
    return Object.entries(body.paths).flatMap(([path, item]) =>
      Object.keys(item as object)
        .filter(method => ['get', 'post', 'delete'].includes(method))
        .map(method => `${method.toUpperCase()} ${path}`),
    )
  }

  onAny('the matrix', () => {
    test('every operation has a row, and every row an operation', async () => {
      expect((await documented()).sort()).toEqual(Object.keys(rows).sort())
    })

    for (const [operation, { rule, status, body }] of Object.entries(rows))
      test(operation, async () => {
        const [method, template] = operation.split(' ') as [string, string]
        for (const name of callers) {
          const wanted = (rules[rule] as Rule)[name] ?? status
          const changes = method !== 'GET' && wanted < 300
          shared ??= await scene()
          const now = changes ? await scene() : shared
          const values = parameters(now, template)
          const path = template.replace(/\{([a-z]+)\}/g, (_, parameter) => encodeURIComponent(values[parameter]!))
          // A stream would not end.
          const reply = await as(name, template.includes('/events') ? 'HEAD' : method, path, body)
          expect([name, reply.status]).toEqual([name, wanted])
          if (wanted === 401) expect(reply.headers.get('www-authenticate')).toBe('Token')
          if (wanted === 403 && !template.includes('/events'))
            expect(reply.body).toEqual({ detail: 'You do not have permission to perform this action.' })
        }
      })
  })

  describe('what is not there is not there for anybody', () => {
    for (const name of ['stranger', 'admin'] as const)
      test(name, async () => {
        for (const path of ['/', '/config/', '/perms/', '/pods/']) {
          const reply = await as(name, 'GET', `/v2/apps/no-such-app${path}`)
          expect([reply.status, reply.body]).toEqual([404, 'No App matches the given query.'])
        }
      })
  })

  onAny('methods that there are not are 401 for nobody and 405 for those who may', () => {
    test('on all paths', async () => {
      const now = await scene()
      const paths = new Set(Object.keys(rows).map(operation => operation.split(' ')[1]!))
      for (const template of paths) {
        const values = parameters(now, template)
        const path = template.replace(/\{([a-z]+)\}/g, (_, parameter) => encodeURIComponent(values[parameter]!))
        const isPublic = rows[`GET ${template}`]?.rule === 'public' || rows[`POST ${template}`]?.rule === 'public'
        for (const method of ['PUT', 'PATCH']) {
          expect([path, (await as('anonymous', method, path)).status]).toEqual([path, isPublic ? 405 : 401])
          const isBuilder = path.startsWith('/v2/hooks')
          // Who calls there has no API token in this way.
          const refused = path.startsWith('/v2/registry') ? 401 : 405
          expect([path, (await as(isBuilder ? 'builder' : 'admin', method, path)).status]).toEqual([path, refused])
        }
      }
    })
  })

  describe('tenants do not reach each other', () => {
    test('lists show what is theirs', async () => {
      const { id } = await scene()
      const ids = async (name: CallerName, path: string, key: string): Promise<string[]> =>
        (await as(name, 'GET', `${path}?limit=10000`)).body.results.map((item: Record<string, string>) => item[key])
      expect(await ids('owner', '/v2/apps/', 'id')).toContain(id)
      expect(await ids('collaborator', '/v2/apps/', 'id')).toContain(id)
      expect(await ids('admin', '/v2/apps/', 'id')).toContain(id)
      expect(await ids('stranger', '/v2/apps/', 'id')).not.toContain(id)
      for (const name of ['stranger', 'collaborator', 'admin'] as const) {
        expect(await ids(name, '/v2/certs/', 'name')).not.toContain(id)
        expect(await ids(name, '/v2/keys/', 'id')).not.toContain(id)
      }
    })

    test('a certificate attaches to domains of apps that its owner may use', async () => {
      const { domain } = await scene()
      const name = `foreign-${made}`
      const attach = (caller: CallerName) => as(caller, 'POST', `/v2/certs/${name}-${caller}/domain/`, { domain })
      for (const caller of ['stranger', 'collaborator', 'admin'] as const)
        expect(
          (
            await as(caller, 'POST', '/v2/certs/', {
              name: `${name}-${caller}`,
              certificate: pair.chain,
              key: pair.key,
            })
          ).status,
        ).toBe(201)
      expect((await attach('stranger')).status).toBe(403)
      expect((await attach('collaborator')).status).toBe(201)
      expect((await as('stranger', 'DELETE', `/v2/certs/${name}-stranger/domain/${domain}`)).status).toBe(403)
      expect((await attach('admin')).status).toBe(409)
    })

    test('through an app of their own they reach nothing of another', async () => {
      const { id, domain } = await scene()
      const mine = await stage.app(tokens.get('stranger')!)
      expect((await as('stranger', 'DELETE', `/v2/apps/${mine}/domains/${domain}`)).status).toBe(404)
      const { body } = await as('stranger', 'POST', `/v2/apps/${mine}/domains/`, { domain })
      expect(body).toEqual({ domain: ['Domain is already in use by another application'] })
      expect((await as('owner', 'GET', `/v2/apps/${id}/domains/`)).body.count).toBe(2)
      expect((await as('stranger', 'GET', `/v2/apps/${mine}/pods/web/${id}-web-x/`)).body.count).toBe(0)
      expect((await as('stranger', 'POST', `/v2/apps/${mine}/pods/web/${id}-web-x/restart/`)).body).toEqual([])
    })

    // Anybody could have the requests of every name that an app had not added yet, and put a name of theirs below a
    // wildcard of somebody else.
    test('a wildcard and the names below it are of the same people', async () => {
      const { id, domain } = await scene()
      const wildcard = `*.${domain}`
      const mine = await stage.app(tokens.get('stranger')!)
      const add = async (name: CallerName, app: string, asked: string) => {
        const { status, body } = await as(name, 'POST', `/v2/apps/${app}/domains/`, { domain: asked })
        return status === 201 ? 201 : body.domain?.[0]
      }
      const refused = (asked: string) =>
        expect.stringMatching(`^The domain ${RegExp.escape(asked)} is already in use by`)
      expect(await add('owner', id, `www.${domain}`)).toBe(201)
      expect(await add('stranger', mine, wildcard)).toEqual(refused(wildcard))
      expect(await add('collaborator', id, wildcard)).toBe(201)
      expect(await add('stranger', mine, `shop.${domain}`)).toEqual(refused(`shop.${domain}`))
      expect(await add('stranger', mine, `*.sub.${domain}`)).toEqual(refused(`*.sub.${domain}`))
      expect(await add('stranger', mine, `beside-${domain}`)).toBe(201)
      // Who may use both apps may spread names over them.
      const third = await stage.app(tokens.get('collaborator')!)
      expect(await add('collaborator', third, `api.${domain}`)).toBe(201)
      expect(await add('admin', mine, `given.${domain}`)).toBe(201)
      // What there is stays where it is, whoever an app goes to; what is added goes by who owns it now.
      await as('collaborator', 'POST', `/v2/apps/${third}/`, { owner: 'plain' })
      expect((await as('admin', 'GET', `/v2/apps/${third}/domains/`)).body.count).toBe(2)
      await as('owner', 'POST', `/v2/apps/${id}/`, { owner: 'stranger' })
      expect(await add('stranger', mine, `shop.${domain}`)).toBe(201)
      expect(await add('stranger', mine, `*.www.${domain}`)).toBe(201)
      const left = await stage.app(tokens.get('owner')!)
      expect(await add('owner', left, `more.${domain}`)).toEqual(refused(`more.${domain}`))
    })

    test('a collaborator takes back his own share only', async () => {
      const { id } = await scene()
      await as('owner', 'POST', `/v2/apps/${id}/perms/`, { username: 'plain' })
      expect((await as('collaborator', 'DELETE', `/v2/apps/${id}/perms/plain`)).status).toBe(403)
      expect((await as('collaborator', 'DELETE', `/v2/apps/${id}/perms/collaborator`)).status).toBe(204)
      expect((await as('collaborator', 'GET', `/v2/apps/${id}/`)).status).toBe(403)
    })

    test('accounts of others', async () => {
      for (const [method, path, body] of [
        ['POST', '/v2/auth/tokens/', { username: 'owner' }],
        ['POST', '/v2/auth/tokens/', { all: true }],
        ['POST', '/v2/auth/passwd/', { username: 'owner', new_password: 'x', password: 'y' }],
        ['DELETE', '/v2/auth/cancel/', { username: 'owner' }],
      ] as const)
        expect([path, (await as('stranger', method, path, body)).status]).toEqual([path, 403])
      expect((await as('owner', 'GET', '/v2/auth/whoami/')).status).toBe(200)
    })

    test('the owner of a transferred app loses it at once', async () => {
      const { id } = await scene()
      expect(await as('owner', 'POST', `/v2/apps/${id}/`, { owner: 'plain' })).toMatchObject({ status: 200, body: '' })
      expect((await as('owner', 'GET', `/v2/apps/${id}/`)).status).toBe(403)
      const { body } = await as('admin', 'GET', `/v2/apps/${id}/settings/`)
      expect(body.owner).toBe('plain')
      const releases = (await as('admin', 'GET', `/v2/apps/${id}/releases/`)).body
      expect(releases.results[0].owner).toBe('plain')
    })
  })

  describe('section 6: hooks', () => {
    const builder = (method: string, path: string, body?: unknown) => as('builder', method, path, body)
    test('a wrong key is 401; without a key a user is 403', async () => {
      for (const key of ['', 'wrong', `${builderKey}x`])
        expect((await stage.call('GET', '/v2/hooks/keys/x/', { headers: { 'x-deis-builder-auth': key } })).status).toBe(
          401,
        )
    })
    test('apps of a key are those that its owner may push to', async () => {
      const { id, fingerprint } = await scene()
      const mine = await stage.app(tokens.get('stranger')!)
      const { body } = await builder('GET', `/v2/hooks/key/${fingerprint}`)
      const { body: app } = await as('owner', 'GET', `/v2/apps/${id}`)
      // `uuids` is ours: a name may have been another app's before.
      const uuids = expect.objectContaining({ [id]: app.uuid })
      expect(body).toEqual({ username: 'owner', apps: expect.arrayContaining([id]), uuids })
      expect(body.apps).not.toContain(mine)
      expect((await builder('GET', '/v2/hooks/key/aa:bb')).body).toBe('No Key matches the given query.')
    })
    test('keys of an app are those of its collaborators; of a user, his', async () => {
      const { id } = await scene()
      const { text, fingerprint } = publicKey()
      await as('collaborator', 'POST', '/v2/keys/', { id: `c-${id}`, public: text })
      const entry = { key: text, fingerprint }
      const all = await builder('GET', `/v2/hooks/keys/${id}`)
      expect(Object.keys(all.body)).toEqual(['collaborator'])
      expect(all.body.collaborator).toContainEqual(entry)
      expect((await builder('GET', `/v2/hooks/keys/${id}/collaborator`)).body.collaborator).toContainEqual(entry)
      expect((await builder('GET', `/v2/hooks/keys/${id}/stranger`)).status).toBe(403)
      expect((await builder('GET', '/v2/hooks/keys/none/owner')).body).toBe('No App matches the given query.')
      expect(await builder('GET', `/v2/hooks/keys/${id}/admin`)).toMatchObject({
        status: 404,
        body: { detail: 'No Keys match the given query.' },
      })
    })
    test('the builder acts for who may push', async () => {
      const { id } = await scene()
      const body = { receive_repo: id, receive_user: 'collaborator' }
      expect((await builder('POST', '/v2/hooks/config/', body)).body.app).toBe(id)
      expect((await builder('POST', '/v2/hooks/config/', { ...body, receive_user: 'stranger' })).status).toBe(403)
      expect((await builder('POST', '/v2/hooks/config/', { ...body, receive_user: 'nobody' })).status).toBe(404)
      expect((await builder('POST', '/v2/hooks/config/', { ...body, receive_repo: 'nothing' })).status).toBe(404)
      expect(
        (await builder('POST', '/v2/hooks/build/', { ...body, receive_user: 'stranger', image: 'x' })).status,
      ).toBe(403)
    })
  })
})
