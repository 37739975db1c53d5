// What is secret is in no log: one run through everything that takes a secret, good and bad, and then every line that was
// written is looked through.

import { describe, expect, test } from 'vitest'
import { selfSign } from '#kit/self-signed.ts'
import { ControllerStage, idleProcfile, quick } from '#test/support/controller-stage.ts'
import { onEachDatabase } from '#test/support/databases.ts'
import { publicKey } from '#test/support/public-key.ts'

onEachDatabase(fresh => {
  describe('secrets', () => {
    test('are in no line of a log and in no answer that is not about them', async () => {
      const env = {
        DEIS_BUILDER_KEY: 'secret-builder-key',
        DEIS_DEPLOY_HOOK_URLS: 'http://user:secret-hook-user@127.0.0.1:1/?key=secret-hook-query',
        DEIS_DEPLOY_HOOK_SECRET_KEY: 'secret-hook-key',
      }
      await using stage = await ControllerStage.start({ database: await fresh(), times: quick, env })
      const register = (username: string, password: string) =>
        stage.call('POST', '/v2/auth/register/', { body: { username, password, email: 'a@example.com' } })
      const login = async (username: string, password: string): Promise<string> =>
        (await stage.call('POST', '/v2/auth/login/', { body: { username, password } })).body.token
      await register('alice', 'secret-password')
      await register('alice', 'secret-taken')
      await register('!', 'secret-refused')
      await register('bob', 'secret-of-bob')
      const tokens = [await login('alice', 'secret-password'), await login('alice', 'secret-password')]
      const [token] = tokens
      await login('alice', 'secret-guess')
      const ask = async (method: string, path: string, body?: unknown, headers = {}) => {
        const reply = await stage.call(method, path, {
          token: token!,
          headers,
          ...(body === undefined ? {} : { body }),
        })
        return reply.body
      }
      await ask('POST', '/v2/auth/passwd/', { new_password: 'secret-new', password: 'secret-wrong' })
      await ask('POST', '/v2/auth/passwd/', { new_password: 'secret-of-bob-2', username: 'bob' })
      const pair = selfSign(['a.example.com'], 30, Date.now())
      const secretOfKey = pair.key.split('\n')[1]!
      await ask('POST', '/v2/certs/', { name: 'main', certificate: pair.chain, key: pair.key })
      await ask('POST', '/v2/certs/', { name: 'main', certificate: pair.chain, key: pair.key })
      const swapped = await ask('POST', '/v2/certs/', { name: 'swapped', certificate: pair.key, key: pair.chain })
      const shown = await ask('GET', '/v2/certs/main')
      await ask('POST', '/v2/keys/', { id: 'k', public: publicKey().text })

      await stage.app(token!, 'shop')
      await ask('POST', '/v2/apps/shop/settings/', { routable: false })
      await ask('POST', '/v2/apps/shop/domains/', { domain: 'a.example.com' })
      await ask('POST', '/v2/certs/main/domain/', { domain: 'a.example.com' })
      const config = {
        values: { PORT: '5000', PASSWORD: 'secret-value' },
        registry: { username: 'u', password: 'secret-registry' },
      }
      await ask('POST', '/v2/apps/shop/config/', config, { 'idempotency-key': 'secret-idempotency' })
      await ask('POST', '/v2/apps/shop/config/', config)
      await ask('POST', '/v2/apps/shop/config/', { values: { PORT: 'secret-port' } })
      await ask('POST', '/v2/apps/shop/config/', '{"values": {"A": "secret-half')
      await ask('POST', '/v2/apps/shop/builds/', { image: await stage.image(), procfile: idleProcfile })
      await ask('POST', '/v2/apps/shop/builds/', { image: '/none', procfile: idleProcfile })
      await ask('POST', '/v2/apps/shop/config/', { values: { PASSWORD: 'secret-value-2' } })
      await ask('POST', '/v2/apps/shop/config/', { values: { PASSWORD: null } })
      await ask('POST', '/v2/apps/shop/releases/rollback/', { version: 3 })
      await ask('GET', '/v2/hooks/key/x', undefined, { 'x-deis-builder-auth': 'secret-builder-guess' })
      await stage.call('GET', '/v2/hooks/key/x', { headers: { 'x-deis-builder-auth': 'secret-builder-key' } })
      await stage.call('GET', '/v2/', { headers: { authorization: 'token secret-token-guess' } })
      const users = await ask('GET', '/v2/users/')
      await stage.line(line => line.includes('Deploy hook to'))
      await ask('POST', '/v2/auth/tokens/', { username: 'bob' })
      await stage.close()

      const logged = [...stage.log.map(record => JSON.stringify(record)), ...stage.lines].join('\n')
      expect(logged).toContain('config.change')
      expect(logged).not.toContain('secret')
      expect(logged).not.toContain(secretOfKey)
      expect(logged).not.toContain('PRIVATE KEY')
      for (const one of tokens) expect(logged).not.toContain(one)
      const answers = JSON.stringify([swapped, shown, users])
      for (const secret of ['secret', 'scrypt', secretOfKey, 'PRIVATE KEY']) expect(answers).not.toContain(secret)
    })
  })
})
