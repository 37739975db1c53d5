// Users: registration, logins, tokens, passwords, leaving (controller contract, sections 2, 3, 5 and 10).

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LoginAttempts } from '#controller/api/attempts.ts'
import { ControllerStage, quick } from '#test/support/controller-stage.ts'
import { onEachDatabase } from '#test/support/databases.ts'
import { TestTime } from '#test/support/test-time.ts'

const usernameRule = 'Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.'
const noLogin = { non_field_errors: ['Unable to log in with provided credentials.'] }

onEachDatabase((fresh, onAny) => {
  describe('one controller', () => {
    let stage: ControllerStage
    let admin: string
    beforeAll(async () => {
      stage = await ControllerStage.start({ database: await fresh(), times: quick })
      admin = await stage.user('alice')
    })
    afterAll(async () => {
      expect(stage.log.filter(({ level }) => level === 'error')).toEqual([])
      await stage[Symbol.asyncDispose]()
    })
    const post = (path: string, body: unknown, token: string | null = null) => stage.call('POST', path, { token, body })
    const login = (username: string, password = `password of ${username}`) =>
      post('/v2/auth/login/', { username, password })

    describe('register', () => {
      const good = { username: 'someone', password: 'p', email: 'a@example.com' }
      const rows: [name: string, body: Record<string, unknown>, answer: unknown][] = [
        ['nothing', {}, { username: ['This field is required.'], password: ['This field is required.'] }],
        [
          'blank',
          { username: ' ', password: '' },
          { username: ['This field may not be blank.'], password: ['This field may not be blank.'] },
        ],
        ['a name with a space', { ...good, username: 'a b' }, { username: [usernameRule] }],
        [
          'a long name',
          { ...good, username: 'a'.repeat(151) },
          { username: ['Ensure this field has no more than 150 characters.'] },
        ],
        [
          'a name that is taken',
          { ...good, username: 'alice' },
          { username: ['A user with that username already exists.'] },
        ],
        [
          'a name that is reserved',
          { ...good, username: 'AnonymousUser' },
          { username: ['A user with that username already exists.'] },
        ],
        ['an address that is none', { ...good, email: 'x' }, { email: ['Enter a valid email address.'] }],
        [
          'all of it',
          { username: '!', password: '', email: 'x' },
          {
            username: [usernameRule],
            password: ['This field may not be blank.'],
            email: ['Enter a valid email address.'],
          },
        ],
      ]
      for (const [name, body, answer] of rows)
        test(name, async () => {
          const reply = await post('/v2/auth/register/', body)
          expect([reply.status, reply.body]).toEqual([400, answer])
        })
      test('shape; the name may be Unicode, the address absent', async () => {
        const { status, body } = await post('/v2/auth/register/', {
          username: 'J\u00fcrgen.+@-_1',
          password: 'p',
          first_name: 'J',
          is_superuser: true,
          id: 4,
        })
        expect(status).toBe(201)
        expect(body).toEqual({
          ...{
            email: '',
            username: 'J\u00fcrgen.+@-_1',
            first_name: 'J',
            last_name: '',
            is_superuser: false,
            is_staff: false,
          },
          ...{ groups: [], user_permissions: [], last_login: null, date_joined: expect.any(String), is_active: true },
        })
      })
      test('the first is an administrator', async () => {
        const { body } = await stage.call('GET', '/v2/auth/whoami/', { token: admin })
        expect(body).toMatchObject({
          username: 'alice',
          is_superuser: true,
          is_staff: true,
          last_login: expect.any(String),
        })
        expect(Object.keys(body)).not.toContain('id')
      })
      test('two of the same name at once: one', async () => {
        const replies = await Promise.all(
          Array.from({ length: 5 }, () => post('/v2/auth/register/', { username: 'twin', password: 'p' })),
        )
        expect(replies.map(({ status }) => status).sort()).toEqual([201, 400, 400, 400, 400])
      })
    })

    onAny('login', () => {
      test('every login has a token of its own', async () => {
        const first = await stage.user('bob')
        const second = (await login('bob')).body
        expect(Object.keys(second)).toEqual(['token'])
        expect(second.token).toMatch(/^[0-9a-f]{40}$/)
        for (const token of [first, second.token])
          expect((await stage.call('GET', '/v2/auth/whoami/', { token })).body.username).toBe('bob')
      })
      test('who is not known and who errs are told the same', async () => {
        for (const [username, password] of [
          ['bob', 'wrong'],
          ['nobody', 'wrong'],
          ['bob', ' password of bob'],
        ] as const) {
          const reply = await login(username, password)
          expect([reply.status, reply.body]).toEqual([400, noLogin])
        }
        expect((await post('/v2/auth/login/', {})).body).toEqual({
          username: ['This field is required.'],
          password: ['This field is required.'],
        })
        expect((await post('/v2/auth/login/', { username: 'bob', password: '' })).body).toEqual({
          password: ['This field may not be blank.'],
        })
      })
      test('too many guesses: 429 with Retry-After, also when they come at once, for this account alone', async () => {
        await stage.user('victim')
        const guesses = await Promise.all(Array.from({ length: 14 }, (_, index) => login('victim', `guess ${index}`)))
        expect(guesses.filter(({ status }) => status === 400)).toHaveLength(10)
        const refused = guesses.filter(({ status }) => status === 429)
        expect(refused).toHaveLength(4)
        expect(Number(refused[0]!.headers.get('retry-after'))).toBeGreaterThan(0)
        expect(refused[0]!.body).toEqual({ detail: expect.stringContaining('Too many failed logins') })
        // The right one, too: else it could be told apart.
        expect((await login('victim')).status).toBe(429)
        expect((await login('bob')).status).toBe(200)
      })
      test('behind the router every client is counted for himself', async () => {
        await stage.user('remote')
        const from = (address: string, password: string) =>
          stage.call('POST', '/v2/auth/login/', {
            body: { username: 'remote', password },
            headers: { 'x-forwarded-for': address },
          })
        for (let guess = 0; guess < 10; guess++) expect((await from('192.0.2.1', 'wrong')).status).toBe(400)
        expect((await from('192.0.2.1', 'wrong')).status).toBe(429)
        expect((await from('192.0.2.2', 'password of remote')).status).toBe(200)
      })
    })

    onAny('tokens', () => {
      test('renewing ends all of a user', async () => {
        const tokens = [await stage.user('carol'), (await login('carol')).body.token]
        const { status, body } = await post('/v2/auth/tokens/', '', tokens[0])
        expect(status).toBe(200)
        for (const token of tokens)
          expect(await stage.call('GET', '/v2/auth/whoami/', { token })).toMatchObject({
            status: 401,
            body: { detail: 'Invalid token.' },
          })
        expect((await stage.call('GET', '/v2/auth/whoami/', { token: body.token })).status).toBe(200)
      })
      test('of others, and of all: for administrators', async () => {
        const dave = await stage.user('dave')
        for (const body of [{ username: 'bob' }, { username: 'dave' }, { all: true }])
          expect([body, (await post('/v2/auth/tokens/', body, dave)).status]).toEqual([body, 403])
      })
      test('an administrator is given the new one of another', async () => {
        const erin = await stage.user('erin')
        const { body } = await post('/v2/auth/tokens/', { username: 'erin' }, admin)
        expect((await stage.call('GET', '/v2/', { token: erin })).status).toBe(401)
        expect((await stage.call('GET', '/v2/auth/whoami/', { token: body.token })).body.username).toBe('erin')
        expect((await post('/v2/auth/tokens/', { username: 'none' }, admin)).body).toBe(
          'No User matches the given query.',
        )
      })
      test('all: an empty string', async () => {
        const frank = await stage.user('frank')
        expect(await post('/v2/auth/tokens/', { all: true }, admin)).toMatchObject({ status: 200, body: '' })
        for (const token of [frank, admin]) expect((await stage.call('GET', '/v2/', { token })).status).toBe(401)
        admin = (await login('alice')).body.token
      })
    })

    onAny('passwords', () => {
      const passwd = (body: unknown, token: string | null) => post('/v2/auth/passwd/', body, token)
      test('in words', async () => {
        const grace = await stage.user('grace')
        const rows: [body: Record<string, unknown>, status: number, detail: string][] = [
          [{}, 400, 'new_password is a required field'],
          [{ new_password: 'n' }, 400, 'password is a required field'],
          [{ new_password: 'n', password: 'wrong' }, 401, 'Current password does not match'],
          [
            { new_password: 'n', password: 'x', username: 'alice' },
            403,
            'You do not have permission to perform this action.',
          ],
        ]
        for (const [body, status, detail] of rows)
          expect(await passwd(body, grace)).toMatchObject({ status, body: { detail } })
        expect((await passwd({ new_password: 'new', password: 'password of grace' }, grace)).body).toEqual({
          status: 'password set',
        })
        expect((await login('grace')).body).toEqual(noLogin)
        expect((await login('grace', 'new')).status).toBe(200)
      })
      test('administrators need no former one, for others and themselves', async () => {
        await stage.user('heidi')
        expect((await passwd({ new_password: 'x', username: 'heidi' }, admin)).status).toBe(200)
        expect((await login('heidi', 'x')).status).toBe(200)
        expect((await passwd({ new_password: 'password of alice' }, admin)).status).toBe(200)
        expect((await passwd({ new_password: 'x', username: 'none' }, admin)).body).toBe(
          'No User matches the given query.',
        )
      })
      test('guesses with a stolen token are limited as well', async () => {
        const ivan = await stage.user('ivan')
        const statuses = []
        for (let guess = 0; guess < 11; guess++)
          statuses.push((await passwd({ new_password: 'n', password: `guess ${guess}` }, ivan)).status)
        expect(statuses).toEqual([...Array.from({ length: 10 }, () => 401), 429])
      })
    })

    onAny('cancel', () => {
      const cancel = (token: string, body?: unknown) =>
        stage.call('DELETE', '/v2/auth/cancel/', { token, ...(body === undefined ? {} : { body }) })
      test('not while there are apps, certificates, or rows of his in the app of another', async () => {
        const judy = await stage.user('judy')
        const app = await stage.app(judy)
        const refusal = {
          status: 409,
          body: { detail: 'judy still has applications assigned. Delete or transfer ownership' },
        }
        expect(await cancel(judy)).toMatchObject(refusal)
        await post(`/v2/apps/${app}/`, { owner: 'alice' }, judy)
        await post(`/v2/apps/${app}/perms/`, { username: 'judy' }, admin)
        await post(`/v2/apps/${app}/config/`, { values: { A: 'b' } }, judy)
        expect(await cancel(judy)).toMatchObject(refusal)
        await stage.call('DELETE', `/v2/apps/${app}/`, { token: admin })
        expect(await cancel(judy)).toMatchObject({ status: 204, body: '' })
        expect((await stage.call('GET', '/v2/', { token: judy })).status).toBe(401)
        expect((await login('judy')).body).toEqual(noLogin)
      })
      test('others: for administrators', async () => {
        const kim = await stage.user('kim')
        await stage.user('leo')
        expect((await cancel(kim, { username: 'leo' })).status).toBe(403)
        expect((await cancel(admin, { username: 'leo' })).status).toBe(204)
        expect((await cancel(admin, { username: 'leo' })).body).toBe('No User matches the given query.')
      })
    })

    onAny('administrators', () => {
      test('are listed, made, and made plain again', async () => {
        const mia = await stage.user('mia')
        expect((await post('/v2/admin/perms/', {}, admin)).body).toEqual({ username: ['This field is required.'] })
        expect(await post('/v2/admin/perms/', { username: 'mia' }, admin)).toMatchObject({ status: 201, body: '' })
        expect((await stage.call('GET', '/v2/admin/perms/', { token: mia })).body.results).toContainEqual({
          username: 'mia',
          is_superuser: true,
        })
        expect((await stage.call('DELETE', '/v2/admin/perms/mia', { token: admin })).status).toBe(204)
        expect((await stage.call('GET', '/v2/admin/perms/', { token: mia })).status).toBe(403)
        expect((await stage.call('DELETE', '/v2/admin/perms/none', { token: admin })).body).toBe(
          'No User matches the given query.',
        )
      })
      test('users are listed without the reserved one', async () => {
        const { body } = await stage.call('GET', '/v2/users/?limit=1000', { token: admin })
        expect(body.results.map(({ username }: { username: string }) => username)).toEqual(
          expect.arrayContaining(['alice', 'bob']),
        )
        expect(JSON.stringify(body)).not.toMatch(/AnonymousUser|password|scrypt/)
      })
    })
  })

  test('of many who register first at once, one is the administrator', async () => {
    await using stage = await ControllerStage.start({ database: await fresh() })
    const replies = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        stage.call('POST', '/v2/auth/register/', { body: { username: `user${index}`, password: 'p' } }),
      ),
    )
    expect(replies.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 201))
    expect(replies.filter(({ body }) => body.is_superuser)).toHaveLength(1)
  })

  onAny('REGISTRATION_MODE', () => {
    const register = (stage: ControllerStage, username: string, token: string | null = null) =>
      stage.call('POST', '/v2/auth/register/', { token, body: { username, password: 'p' } })
    test('disabled: nobody, not even the first', async () => {
      await using stage = await ControllerStage.start({
        database: await fresh(),
        env: { REGISTRATION_MODE: 'disabled' },
      })
      expect(await register(stage, 'alice')).toMatchObject({
        status: 403,
        body: { detail: 'Registration is disabled' },
      })
      // Before what is sent is looked at.
      expect((await stage.call('POST', '/v2/auth/register/', { body: '{' })).status).toBe(403)
    })
    test('admin_only: the first, then who has the token of an administrator', async () => {
      await using stage = await ControllerStage.start({
        database: await fresh(),
        env: { REGISTRATION_MODE: 'admin_only' },
      })
      const admin = await stage.user('alice')
      const refusal = { status: 403, body: { detail: 'You do not have permission to perform this action.' } }
      expect(await register(stage, 'bob')).toMatchObject(refusal)
      expect(await register(stage, 'bob', '0'.repeat(40))).toMatchObject(refusal)
      expect((await register(stage, 'bob', admin)).status).toBe(201)
      const { body } = await stage.call('POST', '/v2/auth/login/', { body: { username: 'bob', password: 'p' } })
      expect(await register(stage, 'carol', body.token)).toMatchObject(refusal)
    })
    test('enabled: anybody, with a token that is good or not', async () => {
      await using stage = await ControllerStage.start({ database: await fresh() })
      expect((await register(stage, 'alice')).status).toBe(201)
      expect((await register(stage, 'bob', '0'.repeat(40))).status).toBe(201)
    })
  })
})

describe('login attempts', () => {
  test('are forgotten after a while, and by a login', async () => {
    const clock = new TestTime()
    const attempts = new LoginAttempts(clock)
    const fail = (times: number) => {
      for (let time = 0; time < times; time++) attempts.begin('a', 'here')
    }
    fail(10)
    expect(() => fail(1)).toThrow('Too many failed logins')
    attempts.begin('b', 'here')
    await clock.pass(300_000, async () => {})
    fail(9)
    attempts.begin('a', 'here')
    attempts.succeeded('a', 'here')
    fail(10)
    expect(() => fail(1)).toThrow('Too many failed logins')
  })
  test('from everywhere at one account, and from one place at all accounts', () => {
    const attempts = new LoginAttempts(new TestTime())
    for (let place = 0; place < 100; place++) attempts.begin('victim', `place ${place}`)
    expect(() => attempts.begin('victim', 'another place')).toThrow('Too many failed logins')
    for (let account = 0; account < 100; account++) attempts.begin(`account ${account}`, 'here')
    expect(() => attempts.begin('another account', 'here')).toThrow('Too many failed logins')
    attempts.begin('another account', 'there')
  })
  test('many who log in at one place are not taken for one who guesses', () => {
    const attempts = new LoginAttempts(new TestTime())
    for (let time = 0; time < 1000; time++) {
      attempts.begin(`account ${time % 200}`, 'an office')
      attempts.succeeded(`account ${time % 200}`, 'an office')
    }
  })
})
