// What the API keeps for an app and a user, without deploying: shapes, rules and their texts (controller contract,
// sections 3, 4, 5 and 10).

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { selfSign } from '#kit/self-signed.ts'
import { ControllerStage, quick } from '#test/support/controller-stage.ts'
import { onEachDatabase } from '#test/support/databases.ts'
import { publicKey } from '#test/support/public-key.ts'

const uuid = expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
const date = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
const dates = { created: date, updated: date }

onEachDatabase(fresh => {
  let stage: ControllerStage
  let token: string
  let bob: string
  beforeAll(async () => {
    stage = await ControllerStage.start({ database: await fresh(), times: quick })
    token = await stage.user('alice')
    bob = await stage.user('bob')
    await stage.app(token, 'shop')
  })
  afterAll(async () => {
    expect(stage.log.filter(({ level }) => level === 'error')).toEqual([])
    await stage[Symbol.asyncDispose]()
  })

  const as = (who: string) => async (method: string, path: string, body?: unknown) => {
    const reply = await stage.call(method, `/v2/${path}`, { token: who, ...(body === undefined ? {} : { body }) })
    return [reply.status, reply.body] as const
  }
  const call = (method: string, path: string, body?: unknown) => as(token)(method, path, body)

  describe('a fresh app', () => {
    const rows: [path: string, shape: unknown][] = [
      ['', { uuid, id: 'shop', owner: 'alice', structure: {}, ...dates }],
      [
        'config/',
        {
          uuid,
          app: 'shop',
          owner: 'alice',
          values: {},
          memory: {},
          cpu: {},
          tags: {},
          registry: {},
          healthcheck: {},
          ...dates,
        },
      ],
      [
        'settings/',
        {
          uuid,
          app: 'shop',
          owner: 'alice',
          autoscale: {},
          label: {},
          maintenance: false,
          routable: true,
          whitelist: [],
          ...dates,
        },
      ],
      ['tls/', { uuid, app: 'shop', owner: 'alice', https_enforced: null, ...dates }],
      [
        'releases/v1/',
        {
          uuid,
          app: 'shop',
          owner: 'alice',
          version: 1,
          summary: 'alice created initial release',
          failed: false,
          config: uuid,
          build: null,
          ...dates,
        },
      ],
      [
        'domains/',
        { count: 1, next: null, previous: null, results: [{ owner: 'alice', app: 'shop', domain: 'shop', ...dates }] },
      ],
      ['builds/', { count: 0, next: null, previous: null, results: [] }],
      ['whitelist/', { addresses: [] }],
      ['perms/', { users: [] }],
      ['pods/', { results: [], count: 0 }],
    ]
    for (const [path, shape] of rows)
      test(path || 'the app', async () => {
        const [status, body] = await call('GET', `apps/shop/${path}`)
        expect(status).toBe(200)
        expect(body).toStrictEqual(shape)
      })
    test('its lines in the log', async () => {
      const settings = (await call('GET', 'apps/shop/settings/'))[1]
      const config = (await call('GET', 'apps/shop/config/'))[1]
      expect(stage.lines.filter(line => line.includes('[shop]'))).toEqual([
        `INFO [shop]: config shop-${config.uuid.slice(0, 7)} updated`,
        'INFO [shop]: alice created initial release',
        `INFO [shop]: appsettings shop-${settings.uuid.slice(0, 7)} updated`,
        'INFO [shop]: domain shop added',
      ])
    })
  })

  /** Requests in order, each with its answer. */
  type Row = readonly [method: string, path: string, body: unknown, status: number, answer?: unknown]
  const table = (name: string, rows: readonly Row[]): void => {
    test(name, async () => {
      for (const [method, path, body, status, answer] of rows) {
        const [got, said] = await call(method, path, body)
        expect([method, path, body, got, answer === undefined ? null : said]).toEqual([
          method,
          path,
          body,
          status,
          answer ?? null,
        ])
      }
    })
  }

  describe('apps', () => {
    const rule =
      'App name must start with an alphabetic character, cannot end with a hyphen and can only contain a-z (lowercase), 0-9 and hyphens.'
    const slug = 'Enter a valid "slug" consisting of letters, numbers, underscores or hyphens.'
    table('names', [
      ['POST', 'apps/', { id: '' }, 400, { id: ['This field may not be blank.'] }],
      ['POST', 'apps/', { id: 'Shop' }, 400, { id: [rule] }],
      ['POST', 'apps/', { id: '1a' }, 400, { id: [rule] }],
      ['POST', 'apps/', { id: 'a-' }, 400, { id: [rule] }],
      ['POST', 'apps/', { id: 'a.b' }, 400, { id: [rule, slug] }],
      ['POST', 'apps/', { id: 'deis' }, 400, { id: ['deis is a reserved name.'] }],
      ['POST', 'apps/', { id: 'shop' }, 400, { id: ['Application with this id already exists.'] }],
      ['POST', 'apps/', { id: 'a'.repeat(64) }, 400, { id: ['Ensure this field has no more than 63 characters.'] }],
      ['POST', 'apps/', { id: 'a'.repeat(63) }, 201],
      ['DELETE', `apps/${'a'.repeat(63)}/`, undefined, 204, ''],
      ['POST', 'apps/shop/', {}, 400, { owner: ['This field is required.'] }],
      ['POST', 'apps/shop/', { owner: 'none' }, 404, 'No User matches the given query.'],
      ['POST', 'apps/shop/run', {}, 400, { detail: 'command is a required field' }],
      [
        'POST',
        'apps/shop/run',
        { command: 'ls' },
        400,
        { detail: 'No build associated with this release to run this command' },
      ],
      ['POST', 'apps/shop/scale/', { web: 1 }, 400, { detail: 'No build associated with this release' }],
      ['POST', 'apps/shop/pods/restart/', undefined, 200, []],
      ['GET', 'apps/shop/pods/web/', undefined, 200, { results: [], count: 0 }],
      ['GET', 'apps/shop/builds/nothing/', undefined, 404, 'No Build matches the given query.'],
      ['GET', 'apps/shop/releases/v9/', undefined, 404, 'No Release matches the given query.'],
      ['POST', 'apps/shop/releases/rollback/', undefined, 400, { detail: 'version cannot be below 0' }],
      ['POST', 'apps/shop/releases/rollback/', { version: 0 }, 400, { detail: 'version cannot be below 0' }],
      ['POST', 'apps/shop/releases/rollback/', { version: 1 }, 400, { detail: 'Cannot roll back to initial release.' }],
      [
        'POST',
        'apps/shop/releases/rollback/',
        { version: 7 },
        400,
        { detail: 'Release matching query does not exist.' },
      ],
      ['GET', 'apps/shop/logs', undefined, 204, ''],
    ])
    test('a name is free again when the app is gone', async () => {
      for (let round = 0; round < 2; round++) {
        expect((await call('POST', 'apps/', { id: 'again' }))[0]).toBe(201)
        expect(await call('DELETE', 'apps/again/')).toEqual([204, ''])
        expect(await call('GET', 'apps/again/')).toEqual([404, 'No App matches the given query.'])
      }
    })
    test('of several who want one name at once, one gets it', async () => {
      const answers = await Promise.all(Array.from({ length: 6 }, () => call('POST', 'apps/', { id: 'wanted' })))
      expect(answers.map(([status]) => status).sort()).toEqual([201, 400, 400, 400, 400, 400])
      for (const [status, body] of answers)
        if (status === 400) expect(body).toEqual({ id: ['Application with this id already exists.'] })
    })
  })

  describe('config', () => {
    const limits = 'Memory limit format: <number><unit> or <number><unit>/<number><unit>, where unit = B, K, M or G'
    const path = 'apps/shop/config/'
    table('merging', [
      [
        'POST',
        path,
        { values: { A: 'one', B: 2, long_1: 'caf\u00e9\r\n' } },
        201,
        expect.objectContaining({ values: { A: 'one', B: '2', long_1: 'caf\u00e9\r\n' } }),
      ],
      [
        'POST',
        path,
        { values: { A: null, B: '3' } },
        201,
        expect.objectContaining({ values: { B: '3', long_1: 'caf\u00e9\r\n' } }),
      ],
      ['POST', path, { values: '{"B": null}' }, 201, expect.objectContaining({ values: { long_1: 'caf\u00e9\r\n' } })],
      ['POST', path, { values: { A: null } }, 422, { detail: 'A does not exist under values' }],
      ['POST', path, { memory: { web: null } }, 422, { detail: 'web does not exist under memory' }],
      [
        'POST',
        path,
        { values: { long_1: 'caf\u00e9\r\n' } },
        409,
        { detail: 'alice changed nothing - release stopped' },
      ],
      ['POST', path, {}, 409, { detail: 'alice changed nothing - release stopped' }],
      [
        'POST',
        path,
        { memory: { web: '64M' }, cpu: { web: 1 } },
        201,
        expect.objectContaining({ memory: { web: '64M' }, cpu: { web: '1' } }),
      ],
      ['POST', path, { tags: { disk: 'ssd' } }, 400, { detail: 'No nodes matched the provided labels: disk=ssd' }],
      [
        'POST',
        path,
        { registry: { username: 'u' } },
        400,
        { detail: 'PORT needs to be set in the config when using a private registry' },
      ],
      [
        'POST',
        path,
        { values: { PORT: '5000' }, registry: { username: 'u', password: 'secret' } },
        201,
        expect.objectContaining({ registry: { username: 'u', password: 'secret' } }),
      ],
      ['POST', path, { healthcheck: { 'web/cmd': { livenessProbe: { httpGet: { port: 80, path: '/' } } } } }, 201],
      [
        'POST',
        path,
        { healthcheck: { 'web/cmd': { livenessProbe: null } } },
        201,
        expect.objectContaining({ healthcheck: { 'web/cmd': {} } }),
      ],
    ])
    table('faults', [
      [
        'POST',
        path,
        { values: { '1A': 'x' } },
        400,
        { values: ['Config keys must start with a letter or underscore and only contain [A-z0-9_]'] },
      ],
      ['POST', path, { values: { PORT: 'x' } }, 400, { values: ['PORT can only be a numeric value'] }],
      ['POST', path, { values: { PORT: 70000 } }, 400, { values: ['PORT needs to be between 1 and 65535'] }],
      ['POST', path, { memory: { web: '1X' } }, 400, { memory: [limits] }],
      [
        'POST',
        path,
        { cpu: { web: 'x' } },
        400,
        { cpu: ['CPU limit format: <value> or <value>/<value>, where value must be a numeric'] },
      ],
      [
        'POST',
        path,
        { healthcheck: { web: { aProbe: {} } } },
        400,
        { healthcheck: ['Healthcheck keys must be either livenessProbe or readinessProbe'] },
      ],
      [
        'POST',
        path,
        { healthcheck: { web: { livenessProbe: { tcpSocket: {} } } } },
        400,
        { healthcheck: [expect.stringMatching(/^could not validate .*'port' is a required property$/)] },
      ],
      [
        'POST',
        path,
        { healthcheck: { web: { livenessProbe: { tcpSocket: { port: 1 }, successThreshold: 2 } } } },
        400,
        { healthcheck: ['livenessProbe successThreshold can only be 1'] },
      ],
      ['POST', path, { tags: { 'a/b/c': 'd' } }, 400],
      ['POST', path, { values: [] }, 400],
      ['POST', path, { values: 'nothing' }, 400],
    ])
    test('summaries tell who and what', async () => {
      const [, { results }] = await call('GET', 'apps/shop/releases/')
      const summaries = results.map(({ summary }: { summary: string }) => summary).reverse()
      expect(summaries.slice(0, 5)).toEqual([
        'alice created initial release',
        'alice added A, B, long_1',
        'alice changed B, deleted A',
        'alice deleted B',
        'alice changed limits for memory, cpu',
      ])
      expect(summaries[5]).toBe('alice added PORT and alice added registry info password, username')
    })
    test('changes of different keys at once are all kept', async () => {
      const answers = await Promise.all(
        Array.from({ length: 8 }, (_, index) => call('POST', path, { values: { [`KEY_${index}`]: index } })),
      )
      expect(answers.map(([status]) => status)).toEqual(Array.from({ length: 8 }, () => 201))
      const [, { values }] = await call('GET', path)
      expect(Object.keys(values)).toEqual(
        expect.arrayContaining(Array.from({ length: 8 }, (_, index) => `KEY_${index}`)),
      )
    })
  })

  describe('domains', () => {
    const path = 'apps/shop/domains/'
    const used = 'Domain is already in use by another application'
    table('in order', [
      ['POST', path, {}, 400, { domain: ['This field is required.'] }],
      ['POST', path, { domain: '' }, 400, { domain: ['This field may not be blank.'] }],
      ['POST', path, { domain: '*' }, 400, { domain: ["Hostname can't only be a wildcard"] }],
      ['POST', path, { domain: '192.0.2.1' }, 400, { domain: ['Hostname does not look valid.'] }],
      ['POST', path, { domain: 'a_b.com' }, 400, { domain: [expect.stringMatching(/^Hostname does not look valid/)] }],
      ['POST', path, { domain: 'a.*.com' }, 400, { domain: [expect.stringMatching(/^Hostname does not look valid/)] }],
      [
        'POST',
        path,
        { domain: `${'a'.repeat(60)}.`.repeat(5) },
        400,
        { domain: ['Hostname must be 253 characters or less.'] },
      ],
      [
        'POST',
        path,
        { domain: 'Foo.example.com.' },
        201,
        { owner: 'alice', app: 'shop', domain: 'Foo.example.com', ...dates },
      ],
      ['POST', path, { domain: 'Foo.example.com' }, 400, { domain: [used] }],
      [
        'POST',
        path,
        { domain: 'foo.example.com' },
        400,
        { domain: ['The domain foo.example.com is already in use by another app'] },
      ],
      [
        'POST',
        path,
        { domain: 'b\u00fccher.example' },
        201,
        expect.objectContaining({ domain: 'xn--bcher-kva.example' }),
      ],
      [
        'POST',
        path,
        { domain: 'b\u00fccher.example' },
        400,
        { domain: ['The domain b\u00fccher.example is already in use by another app'] },
      ],
      ['POST', path, { domain: '*.example.com' }, 201],
      ['DELETE', `${path}${encodeURIComponent('b\u00fccher.example')}`, undefined, 204, ''],
      ['DELETE', `${path}FOO.EXAMPLE.COM`, undefined, 204, ''],
      ['DELETE', `${path}foo.example.com`, undefined, 404, 'No Domain matches the given query.'],
      ['DELETE', `${path}*.example.com`, undefined, 204, ''],
      ['DELETE', `${path}shop`, undefined, 204, ''],
      ['POST', path, { domain: 'shop' }, 201],
    ])
    test('listed by name', async () => {
      for (const domain of ['b.example.org', 'a.example.org', 'c.example.org']) await call('POST', path, { domain })
      const [, { results }] = await call('GET', path)
      expect(results.map(({ domain }: { domain: string }) => domain)).toEqual([
        'a.example.org',
        'b.example.org',
        'c.example.org',
        'shop',
      ])
    })
  })

  describe('certificates', () => {
    const pair = selfSign(['www.example.com', 'example.com'], 30, Date.now())
    const other = selfSign(['other.example.com'], 30, Date.now())
    const nameRule = 'Can only contain a-z (lowercase), 0-9 and hyphens'
    const shape = {
      ...{
        id: expect.any(Number),
        owner: 'alice',
        name: 'main',
        domains: [],
        san: ['www.example.com', 'example.com'],
        common_name: 'www.example.com',
      },
      ...{
        fingerprint: pair.fingerprint,
        expires: date,
        starts: date,
        issuer: '/CN=www.example.com',
        subject: '/CN=www.example.com',
        ...dates,
      },
    }
    table('rules', [
      [
        'POST',
        'certs/',
        {},
        400,
        {
          name: ['This field is required.'],
          certificate: ['This field is required.'],
          key: ['This field is required.'],
        },
      ],
      ['POST', 'certs/', { name: 'A', certificate: pair.chain, key: pair.key }, 400, { name: [nameRule] }],
      [
        'POST',
        'certs/',
        { name: 'a', certificate: pair.key, key: pair.chain },
        400,
        {
          certificate: [expect.stringMatching(/^Could not load certificate: /)],
          key: [expect.stringMatching(/^Could not load private key: /)],
        },
      ],
      ['POST', 'certs/', { name: 'main', certificate: pair.chain, key: pair.key }, 201, shape],
      [
        'POST',
        'certs/',
        { name: 'main', certificate: pair.chain, key: pair.key },
        400,
        { name: ['certificate with this name already exists.'] },
      ],
      ['POST', 'certs/', { name: 'mixed', certificate: other.chain, key: pair.key }, 201],
      ['GET', 'certs/main', undefined, 200, shape],
      ['GET', 'certs/none', undefined, 404, 'No Certificate matches the given query.'],
      ['POST', 'certs/main/domain/', {}, 400, { detail: 'domain is a required field' }],
      ['POST', 'certs/main/domain/', { domain: 'none.example.com' }, 404, 'No Domain matches the given query.'],
      ['POST', 'certs/main/domain/', { domain: 'a.example.org' }, 201, ''],
      [
        'POST',
        'certs/mixed/domain/',
        { domain: 'a.example.org' },
        409,
        { detail: 'Domain already has a certificate attached to it' },
      ],
      ['GET', 'certs/main', undefined, 200, { ...shape, domains: ['a.example.org'] }],
      ['DELETE', 'certs/mixed/domain/a.example.org', undefined, 204, ''],
      ['GET', 'certs/main', undefined, 200, shape],
      ['POST', 'certs/main/domain/', { domain: 'A.example.org' }, 201, ''],
      ['DELETE', 'apps/shop/domains/a.example.org', undefined, 204, ''],
      ['GET', 'certs/main', undefined, 200, shape],
      ['POST', 'certs/main/domain/', { domain: 'b.example.org' }, 201, ''],
      ['DELETE', 'certs/main', undefined, 204, ''],
      ['GET', 'certs/main', undefined, 404, 'No Certificate matches the given query.'],
      ['POST', 'certs/mixed/domain/', { domain: 'b.example.org' }, 201, ''],
    ])
    test('names are unique on the platform, and those of others are not there', async () => {
      expect(await as(bob)('POST', 'certs/', { name: 'mixed', certificate: pair.chain, key: pair.key })).toEqual([
        400,
        { name: ['certificate with this name already exists.'] },
      ])
      expect(await as(bob)('GET', 'certs/mixed')).toEqual([404, 'No Certificate matches the given query.'])
    })
  })

  describe('keys', () => {
    const [one, two] = [publicKey(), publicKey()]
    table('rules', [
      ['POST', 'keys/', {}, 400, { id: ['This field is required.'], public: ['This field is required.'] }],
      [
        'POST',
        'keys/',
        { id: '', public: '' },
        400,
        { id: ['This field may not be blank.'], public: ['This field may not be blank.'] },
      ],
      ['POST', 'keys/', { id: 'a', public: 'ssh-rsa' }, 400, { public: ['Key contains invalid base64 chars'] }],
      ['POST', 'keys/', { id: 'a', public: 'ssh-rsa $$$' }, 400, { public: ['Key contains invalid base64 chars'] }],
      [
        'POST',
        'keys/',
        { id: 'a'.repeat(129), public: one.text },
        400,
        { id: ['Ensure this field has no more than 128 characters.'] },
      ],
      [
        'POST',
        'keys/',
        { id: 'me@home', public: ` ${one.text} \n` },
        201,
        { uuid, owner: 'alice', id: 'me@home', public: one.text, fingerprint: one.fingerprint, ...dates },
      ],
      ['POST', 'keys/', { id: 'me@home', public: two.text }, 400, { id: ['SSH Key with this id already exists.'] }],
      ['POST', 'keys/', { id: 'other', public: one.text }, 400, { public: ['Public Key is already in use'] }],
      ['GET', 'keys/me@home', undefined, 200],
      ['GET', 'keys/none', undefined, 404, 'No Key matches the given query.'],
      ['DELETE', 'keys/none', undefined, 404, 'No Key matches the given query.'],
    ])
    test('ids and keys are unique on the platform', async () => {
      expect(await as(bob)('POST', 'keys/', { id: 'me@home', public: two.text })).toEqual([
        400,
        { id: ['SSH Key with this id already exists.'] },
      ])
      expect(await as(bob)('POST', 'keys/', { id: 'bob', public: one.text })).toEqual([
        400,
        { public: ['Public Key is already in use'] },
      ])
      expect(await as(bob)('DELETE', 'keys/me@home')).toEqual([404, 'No Key matches the given query.'])
      expect(await call('DELETE', 'keys/me@home')).toEqual([204, ''])
    })
  })

  describe('perms', () => {
    const path = 'apps/shop/perms/'
    table('rules', [
      ['POST', path, {}, 400, { username: ['This field is required.'] }],
      ['POST', path, { username: 'none' }, 404, 'No User matches the given query.'],
      ['POST', path, { username: 'bob' }, 201, ''],
      ['POST', path, { username: 'bob' }, 201, ''],
      ['GET', path, undefined, 200, { users: ['bob'] }],
      ['DELETE', `${path}none`, undefined, 404, 'No User matches the given query.'],
      ['DELETE', `${path}alice`, undefined, 403, { detail: 'You do not have permission to perform this action.' }],
      ['DELETE', `${path}bob`, undefined, 204, ''],
      ['DELETE', `${path}bob`, undefined, 403],
    ])
    test('lines', () => {
      expect(stage.lines).toContain('INFO [shop]: User bob was granted access to shop')
      expect(stage.lines).toContain('INFO [shop]: User bob was revoked access to shop')
    })
  })

  describe('settings, whitelist and TLS', () => {
    const [settings, whitelist, tls] = ['apps/shop/settings/', 'apps/shop/whitelist/', 'apps/shop/tls/']
    const nothing = { detail: 'alice changed nothing' }
    const rule = { min: 1, max: 2, cpu_percent: 50 }
    table('settings', [
      ['POST', settings, {}, 409, nothing],
      ['POST', settings, { maintenance: false }, 409, nothing],
      ['POST', settings, { maintenance: true }, 201, expect.objectContaining({ maintenance: true, routable: true })],
      ['POST', settings, { routable: false }, 201, expect.objectContaining({ maintenance: true, routable: false })],
      ['POST', settings, { maintenance: 'x' }, 400, { maintenance: ['"x" is not a valid boolean.'] }],
      [
        'POST',
        settings,
        { label: { team: 'a', empty: '' } },
        201,
        expect.objectContaining({ label: { team: 'a', empty: '' } }),
      ],
      ['POST', settings, { label: { team: null } }, 201, expect.objectContaining({ label: { empty: '' } })],
      ['POST', settings, { label: { team: null } }, 422, { detail: 'team does not exist under label' }],
      ['POST', settings, { autoscale: { web: rule } }, 201, expect.objectContaining({ autoscale: { web: rule } })],
      [
        'POST',
        settings,
        { autoscale: { web: { ...rule, min: 0 } } },
        400,
        { detail: 'min replicas needs to be 1 or higher' },
      ],
      ['POST', settings, { autoscale: { web: { ...rule, max: 0 } } }, 400],
      ['POST', settings, { autoscale: { web: { min: 1 } } }, 400],
      ['POST', settings, { autoscale: { worker: null } }, 422, { detail: 'worker does not exist under autoscale' }],
      ['POST', settings, { autoscale: { web: null } }, 201, expect.objectContaining({ autoscale: {} })],
    ])
    test('autoscale on one machine is kept, and said not to be in force', async () => {
      const set = async (body: object) => {
        const { status, headers } = await stage.call('POST', `/v2/${settings}`, { token, body })
        return [status, headers.get('warning')]
      }
      const warning = expect.stringMatching(/^299 - "autoscale is kept but not in force: .*"$/)
      const before = stage.lines.length
      expect(await set({ autoscale: { web: rule } })).toEqual([201, warning])
      expect(stage.lines.slice(before)).toContainEqual(expect.stringMatching(/\[shop\]: autoscale is kept but not/))
      expect(await set({ label: { other: 'x' } })).toEqual([201, null])
      expect(await set({ autoscale: { web: null }, label: { other: null } })).toEqual([201, null])
    })
    table('whitelist', [
      ['POST', whitelist, {}, 400, { addresses: ['This field is required.'] }],
      ['POST', whitelist, { addresses: ['x'] }, 400, { detail: 'The address x is not valid' }],
      [
        'POST',
        whitelist,
        { addresses: ['192.0.2.1', '2001:db8::/32', '192.0.2.7/24'] },
        201,
        { addresses: expect.arrayContaining(['192.0.2.1', '2001:db8::/32', '192.0.2.7/24']) },
      ],
      ['POST', whitelist, { addresses: ['192.0.2.1'] }, 409, nothing],
      [
        'DELETE',
        whitelist,
        { addresses: ['192.0.2.2'] },
        422,
        { detail: 'addresses 192.0.2.2 does not exist in whitelist' },
      ],
      ['DELETE', whitelist, { addresses: ['192.0.2.1', '192.0.2.7/24'] }, 204, ''],
      ['GET', whitelist, undefined, 200, { addresses: ['2001:db8::/32'] }],
    ])
    table('TLS', [
      ['POST', tls, {}, 400, { https_enforced: ['This field is required.'] }],
      ['POST', tls, { https_enforced: 'x' }, 400, { https_enforced: ['"x" is not a valid boolean.'] }],
      [
        'POST',
        tls,
        { https_enforced: false },
        201,
        { uuid, app: 'shop', owner: 'alice', https_enforced: false, ...dates },
      ],
      ['POST', tls, { https_enforced: false }, 409, nothing],
      ['POST', tls, { https_enforced: true }, 201],
    ])
  })
})
