// The original client, version 2.18, as far as its contract tells: the very paths that it asks, each answer read as
// strictly as it reads them, and the texts that it knows faults by (controller contract, sections 1 and 10).

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { selfSign } from '#kit/self-signed.ts'
import { ControllerStage, idleProcfile, quick, type Reply } from '#test/support/controller-stage.ts'
import { onAnyDatabase } from '#test/support/databases.ts'
import { publicKey } from '#test/support/public-key.ts'

// Fields that a type of Go has; what is more is skipped, what is another type ends the client.
const text = z.string()
const time = z.iso.datetime()
const texts = z.record(text, text)
const app = z.object({
  uuid: text,
  id: text,
  owner: text,
  structure: z.record(text, z.int()),
  created: text,
  updated: text,
})
const page = (item: z.ZodType) => z.object({ results: z.array(item), count: z.int() })
const pod = z.object({ name: text, type: text, state: text, release: text, started: time })
const config = z.object({
  values: texts,
  memory: texts,
  cpu: texts,
  tags: texts,
  registry: texts,
  healthcheck: z.record(text, z.object({})),
})
const domain = z.object({ domain: text, app: text, owner: text, created: text, updated: text })
const certificate = z.object({
  name: text,
  common_name: text.nullable(),
  san: z.array(text),
  domains: z.array(text),
  expires: time,
  starts: time,
  created: time,
  updated: time,
  fingerprint: text.min(10),
  issuer: text,
  subject: text,
})
const key = z.object({ id: text, public: text.min(16), owner: text, uuid: text })
const release = z.object({
  version: z.int(),
  summary: text,
  config: text,
  build: text.nullable(),
  owner: text,
  created: text,
  updated: text,
  uuid: text,
})
const settings = z.object({
  maintenance: z.boolean(),
  routable: z.boolean(),
  whitelist: z.array(text),
  autoscale: z.record(text, z.object({ min: z.int(), max: z.int(), cpu_percent: z.int() })),
  label: z.record(text, z.unknown()),
})
const user = z.object({
  username: text,
  email: text,
  first_name: text,
  last_name: text,
  last_login: text.nullable(),
  is_superuser: z.boolean(),
  is_staff: z.boolean(),
  is_active: z.boolean(),
  date_joined: text,
})

/** Header of a version, as it is compared: two parts, the second as text. */
function suits(reply: Reply): boolean {
  const [major, minor] = (reply.headers.get('deis_api_version') ?? '').split('.')
  return major === '2' && minor !== undefined && minor >= '3'
}

/** Null: the client does not read what comes. */
type Step = readonly [command: string, method: string, path: string, body: unknown, shape: z.ZodType | null]

onAnyDatabase(fresh => {
  let stage: ControllerStage
  let token: string
  beforeAll(async () => {
    stage = await ControllerStage.start({ database: await fresh(), times: quick })
    token = await stage.user('alice')
    await stage.user('bob')
  })
  afterAll(async () => {
    expect(stage.log.filter(({ level }) => level === 'error')).toEqual([])
    await stage[Symbol.asyncDispose]()
  })

  /** As it calls: a connection for each request, and a type on those without a body too. */
  const ask = (method: string, path: string, body: unknown = '') =>
    stage.call(method, `/v2${path}`, {
      token,
      body,
      headers: { connection: 'close', 'accept-encoding': 'gzip', 'user-agent': 'Deis Client v2.18.0' },
    })

  test('commands', async () => {
    const image = await stage.image()
    const pair = selfSign(['www.example.com'], 30, Date.now())
    const steps: readonly Step[] = [
      ['whoami --all', 'GET', '/auth/whoami/', undefined, user],
      ['users', 'GET', '/users/?limit=100', undefined, page(user)],
      ['create shop', 'POST', '/apps/', { id: 'shop' }, app],
      ['apps', 'GET', '/apps/?limit=100', undefined, page(app)],
      ['info', 'GET', '/apps/shop/', undefined, app],
      ['info', 'GET', '/apps/shop/domains/?limit=1', undefined, page(domain)],
      ['info', 'GET', '/apps/shop/settings/', undefined, settings],
      ['config', 'GET', '/apps/shop/config/', undefined, config],
      ['config:set', 'POST', '/apps/shop/config/', { values: { A: 'b', TEXT: 'caf\u00e9\r\n' } }, config],
      ['config:unset', 'POST', '/apps/shop/config/', { values: { A: null } }, config],
      ['routing:disable', 'POST', '/apps/shop/settings/', { routable: false }, settings],
      [
        'pull',
        'POST',
        '/apps/shop/builds/',
        { image, procfile: idleProcfile },
        z.object({ uuid: text, image: text, created: text }),
      ],
      ['builds', 'GET', '/apps/shop/builds/?limit=100', undefined, page(z.object({ uuid: text, created: text }))],
      ['scale web=2', 'POST', '/apps/shop/scale/', { web: 2, worker: 0 }, null],
      ['ps', 'GET', '/apps/shop/pods/?limit=1000', undefined, page(pod)],
      ['ps:restart web', 'POST', '/apps/shop/pods/web/restart/', undefined, z.array(pod)],
      [
        'run',
        'POST',
        '/apps/shop/run',
        { command: 'echo a' },
        z.object({ exit_code: z.literal(0), output: z.literal('a\n') }),
      ],
      ['limits:set', 'POST', '/apps/shop/config/', { memory: { web: '64M' } }, config],
      ['limits:unset', 'POST', '/apps/shop/config/', { memory: { web: null } }, config],
      ['limits:set --cpu', 'POST', '/apps/shop/config/', { cpu: { web: '500m' } }, config],
      [
        'healthchecks:set',
        'POST',
        '/apps/shop/config/',
        {
          healthcheck: {
            worker: {
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
        config,
      ],
      [
        'healthchecks:unset',
        'POST',
        '/apps/shop/config/',
        { healthcheck: { worker: { livenessProbe: null } } },
        config,
      ],
      ['releases', 'GET', '/apps/shop/releases/?limit=100', undefined, page(release)],
      ['releases:info v4', 'GET', '/apps/shop/releases/v4/', undefined, release],
      ['rollback', 'POST', '/apps/shop/releases/rollback/', undefined, z.object({ version: z.int() })],
      ['rollback v4', 'POST', '/apps/shop/releases/rollback/', { version: 4 }, z.object({ version: z.int() })],
      ['domains:add', 'POST', '/apps/shop/domains/', { domain: 'www.example.com' }, domain],
      ['domains:add *', 'POST', '/apps/shop/domains/', { domain: '*.example.org' }, domain],
      ['certs:add', 'POST', '/certs/', { name: 'main', certificate: pair.chain, key: pair.key }, certificate],
      ['certs', 'GET', '/certs/?limit=100', undefined, page(certificate)],
      ['certs:attach', 'POST', '/certs/main/domain/', { domain: 'www.example.com' }, null],
      ['certs:info', 'GET', '/certs/main', undefined, certificate],
      ['certs:detach', 'DELETE', '/certs/main/domain/www.example.com', undefined, null],
      ['certs:remove', 'DELETE', '/certs/main', undefined, null],
      ['domains:remove', 'DELETE', '/apps/shop/domains/%2A.example.org', undefined, null],
      ['perms:create', 'POST', '/apps/shop/perms/', { username: 'bob' }, null],
      ['perms', 'GET', '/apps/shop/perms/', undefined, z.object({ users: z.array(text) })],
      ['perms:delete', 'DELETE', '/apps/shop/perms/bob', undefined, null],
      ['perms:create --admin', 'POST', '/admin/perms/', { username: 'bob' }, null],
      [
        'perms --admin',
        'GET',
        '/admin/perms/?limit=100',
        undefined,
        page(z.object({ username: text, is_superuser: z.boolean() })),
      ],
      ['perms:delete --admin', 'DELETE', '/admin/perms/bob', undefined, null],
      [
        'whitelist:add',
        'POST',
        '/apps/shop/whitelist/',
        { addresses: ['192.0.2.1'] },
        z.object({ addresses: z.array(text) }),
      ],
      ['whitelist', 'GET', '/apps/shop/whitelist/', undefined, z.object({ addresses: z.array(text) })],
      ['whitelist:remove', 'DELETE', '/apps/shop/whitelist/', { addresses: ['192.0.2.1'] }, null],
      ['tls', 'GET', '/apps/shop/tls/', undefined, z.object({ https_enforced: z.null() })],
      ['tls:disable', 'POST', '/apps/shop/tls/', { https_enforced: false }, z.object({ https_enforced: z.boolean() })],
      ['maintenance:on', 'POST', '/apps/shop/settings/', { maintenance: true }, settings],
      ['labels:set', 'POST', '/apps/shop/settings/', { label: { team: 'a' } }, settings],
      ['labels:unset', 'POST', '/apps/shop/settings/', { label: { team: null } }, settings],
      [
        'autoscale:set',
        'POST',
        '/apps/shop/settings/',
        { autoscale: { web: { min: 1, max: 2, cpu_percent: 50 } } },
        settings,
      ],
      ['autoscale:unset', 'POST', '/apps/shop/settings/', { autoscale: { web: null } }, settings],
      ['keys:add', 'POST', '/keys/', { id: 'me@home', public: `${publicKey().text}\n` }, key],
      ['keys', 'GET', '/keys/?limit=100', undefined, page(key)],
      ['keys:remove', 'DELETE', '/keys/me@home', undefined, null],
      ['logs', 'GET', '/apps/shop/logs?log_lines=5', undefined, null],
      ['apps:transfer', 'POST', '/apps/shop/', { owner: 'bob' }, null],
      ['destroy', 'DELETE', '/apps/shop/', undefined, null],
    ]
    for (const [command, method, path, body, shape] of steps) {
      const reply = await ask(method, path, body)
      expect([command, reply.status >= 200 && reply.status < 300 ? '' : reply.body, suits(reply)]).toEqual([
        command,
        '',
        true,
      ])
      if (shape !== null) expect([command, shape.safeParse(reply.body).error?.message]).toEqual([command, undefined])
    }
  }, 60_000)

  describe('login and register ask for the version first', () => {
    test('without a token: 401 with the version', async () => {
      for (const path of ['/v2/', '//v2/']) {
        const reply = await stage.call('GET', path)
        expect([reply.status, suits(reply)]).toEqual([401, true])
      }
    })
  })

  describe('section 10: texts that it knows', () => {
    const rows: readonly [
      method: string,
      path: string,
      body: unknown,
      status: number,
      field: string,
      known: string | RegExp,
    ][] = [
      ['POST', '/auth/register/', { username: '', password: 'p' }, 400, 'username', 'This field may not be blank.'],
      [
        'POST',
        '/auth/register/',
        { username: 'alice', password: 'p' },
        400,
        'username',
        'A user with that username already exists.',
      ],
      ['POST', '/auth/register/', { username: 'carol', password: '' }, 400, 'password', 'This field may not be blank.'],
      [
        'POST',
        '/auth/register/',
        { username: 'carol', password: 'p', email: 'x' },
        400,
        'email',
        'Enter a valid email address.',
      ],
      [
        'POST',
        '/auth/login/',
        { username: 'alice', password: 'x' },
        400,
        'non_field_errors',
        'Unable to log in with provided credentials.',
      ],
      ['POST', '/apps/', { id: 'known' }, 400, 'id', 'Application with this id already exists.'],
      ['POST', '/apps/', { id: '' }, 400, 'id', 'This field may not be blank.'],
      ['POST', '/keys/', { id: 'a', public: 'ssh-rsa !' }, 400, 'public', 'Key contains invalid base64 chars'],
      ['POST', '/keys/', { id: '', public: 'x' }, 400, 'id', 'This field may not be blank.'],
      ['POST', '/certs/', { name: 'a', certificate: 'x', key: 'x' }, 400, 'certificate', /Could not load certificate/],
      [
        'POST',
        '/certs/',
        { name: 'A_', certificate: 'x', key: 'x' },
        400,
        'name',
        'Can only contain a-z (lowercase), 0-9 and hyphens',
      ],
      ['POST', '/apps/known/domains/', { domain: '1.2.3.4' }, 400, 'domain', 'Hostname does not look valid.'],
      [
        'POST',
        '/apps/known/domains/',
        { domain: 'known' },
        400,
        'domain',
        'Domain is already in use by another application',
      ],
      ['POST', '/apps/known/builds/', { image: '' }, 400, 'image', 'This field may not be blank.'],
      ['POST', '/apps/known/releases/rollback/', { version: 0 }, 400, 'detail', /version cannot be below 0/],
      ['POST', '/apps/known/config/', { tags: { a: 'b' } }, 400, 'detail', /No nodes matched the provided labels/],
      [
        'DELETE',
        '/auth/cancel/',
        undefined,
        409,
        'detail',
        /still has applications assigned\. Delete or transfer ownership/,
      ],
      ['POST', '/apps/known/config/', { values: { NONE: null } }, 422, 'detail', 'NONE does not exist under values'],
    ]
    beforeAll(() => stage.app(token, 'known'))
    for (const [method, path, body, status, field, known] of rows)
      test(`${field}: ${known}`, async () => {
        const reply = await ask(method, path, body)
        const said = ([] as string[]).concat(reply.body[field])
        expect([reply.status, said.some(one => (known instanceof RegExp ? known.test(one) : one === known))]).toEqual([
          status,
          true,
        ])
      })
    test('what is missing is a JSON string, which it prints with its quotes', async () => {
      for (const path of ['/apps/none/', '/apps/none/run', '/apps/none/builds/'])
        expect((await ask(path.endsWith('run') ? 'POST' : 'GET', path)).body).toBe('No App matches the given query.')
    })
  })
})
