// Fields that the router adds to answers: HSTS and Referrer-Policy (contract sections 8 and 12).

import { describe, expect, test } from 'vitest'
import type { Policy } from '#router/model/route.ts'
import { get, ok } from '#test/support/app.ts'
import { defaultSettings, routeTo, upstreamAt } from '#test/support/data-thread.ts'
import { fieldValue, fieldValues } from '#test/support/http-message.ts'
import { failOnLeaks } from '#test/support/leaks.ts'
import { setStage } from '#test/support/stage.ts'
import { parseCidr } from '../model/cidr.ts'
import type { TlsSettings } from '../model/settings.ts'

failOnLeaks()

const enforce: Policy = { kind: 'enforce-https', exceptChallenges: false }
const maintenance: Policy = { kind: 'maintenance' }
const nobody: Policy = { kind: 'allow-list', blocks: [] }

function withHsts(hsts: Partial<TlsSettings['hsts']> = {}): { tls: TlsSettings } {
  const { tls } = defaultSettings()
  return { tls: { ...tls, hsts: { ...tls.hsts, enabled: true, ...hsts } } }
}

describe('§8 HSTS', () => {
  const forms: readonly (readonly [hsts: Partial<TlsSettings['hsts']>, value: string])[] = [
    [{}, 'max-age=15552000'],
    [{ maxAge: 60 }, 'max-age=60'],
    [{ includeSubDomains: true }, 'max-age=15552000; includeSubDomains'],
    [{ preload: true }, 'max-age=15552000; preload'],
    [{ maxAge: 1, includeSubDomains: true, preload: true }, 'max-age=1; includeSubDomains; preload'],
  ]
  for (const [hsts, value] of forms) {
    test(`${JSON.stringify(hsts)}: ${value}`, async () => {
      await using stage = await setStage({ settings: withHsts(hsts) })
      stage.app.serve(() => ok('x'))
      const client = await stage.connect()
      client.send(get('a.example', '/', 'X-Forwarded-Proto: https'))
      expect(fieldValue(await client.response(), 'strict-transport-security')).toBe(value)
    })
  }

  const rows: readonly (readonly [name: string, host: string, proto: string, status: number, promised: boolean])[] = [
    ['an answer of the app, whatever its status', 'a.example', 'https', 418, true],
    ['not over plain HTTP', 'a.example', 'http', 418, false],
    ['not over wss', 'a.example', 'wss', 418, false],
    ['a client that the list refuses', 'refused.example', 'https', 403, true],
    ['an endpoint that cannot be reached', 'gone.example', 'https', 502, true],
    ['not on the redirect', 'enforced.example', 'http', 301, false],
    ['not under maintenance', 'down.example', 'https', 503, false],
    ['not without endpoints', 'none.example', 'https', 503, false],
    ['not from the default host', 'unknown.example', 'https', 404, false],
  ]
  for (const [name, host, proto, status, promised] of rows) {
    test(name, async () => {
      await using stage = await setStage({
        settings: withHsts(),
        routes: [
          routeTo('refused.example', 'a', {}, [nobody]),
          routeTo('gone.example', 'gone'),
          routeTo('enforced.example', 'a', {}, [enforce]),
          routeTo('down.example', 'a', {}, [maintenance]),
          routeTo('none.example', 'none'),
        ],
        upstreams: [upstreamAt('gone', 1)],
      })
      stage.app.serve(() => 'HTTP/1.1 418 x\r\nContent-Length: 0\r\n\r\n')
      const client = await stage.connect()
      client.send(get(host, '/', `X-Forwarded-Proto: ${proto}`))
      const response = await client.response()
      expect(response.status).toBe(status)
      expect(fieldValues(response, 'strict-transport-security')).toHaveLength(promised ? 1 : 0)
    })
  }

  test('beside that of the app', async () => {
    await using stage = await setStage({ settings: withHsts() })
    stage.app.serve(() => ok('x', 'Strict-Transport-Security: max-age=1'))
    const client = await stage.connect()
    client.send(get('a.example', '/', 'X-Forwarded-Proto: https'))
    expect(fieldValues(await client.response(), 'strict-transport-security')).toEqual(['max-age=1', 'max-age=15552000'])
  })

  test('comes and goes with the setting, on an open connection', async () => {
    await using stage = await setStage()
    stage.app.serve(() => ok('x'))
    const client = await stage.connect()
    const seen: number[] = []
    for (const settings of [withHsts(), {}]) {
      client.send(get('a.example', '/', 'X-Forwarded-Proto: https'))
      seen.push(fieldValues(await client.response(), 'strict-transport-security').length)
      stage.thread.apply({ settings: defaultSettings(settings) })
    }
    client.send(get('a.example', '/', 'X-Forwarded-Proto: https'))
    seen.push(fieldValues(await client.response(), 'strict-transport-security').length)
    expect(seen).toEqual([0, 1, 0])
  })
})

describe('§12 Referrer-Policy', () => {
  for (const status of [200, 201, 204, 206, 301, 302, 303, 304, 307, 308, 202, 400, 403, 404, 500]) {
    test(`status ${status}`, async () => {
      await using stage = await setStage({ route: { referrerPolicy: 'same-origin' } })
      const length = status === 204 || status === 304 ? '' : 'Content-Length: 0\r\n'
      stage.app.serve(() => `HTTP/1.1 ${status} x\r\n${length}\r\n`)
      const client = await stage.connect()
      client.send(get('a.example'))
      const expected = [200, 201, 204, 206, 301, 302, 303, 304, 307, 308].includes(status) ? 'same-origin' : undefined
      expect(fieldValue(await client.response(), 'referrer-policy')).toBe(expected)
    })
  }
})

test('§10 the allow list goes by the client, not by the proxy', async () => {
  const blocks = [parseCidr('192.0.2.0/24')!]
  await using stage = await setStage({
    settings: { proxyRealIpCidrs: [parseCidr('127.0.0.0/8')!] },
    route: { policies: [{ kind: 'allow-list', blocks }] },
  })
  stage.app.serve(() => ok('in'))
  const client = await stage.connect()
  const statuses: number[] = []
  for (const fields of [[], ['X-Forwarded-For: 192.0.2.7'], ['X-Forwarded-For: 192.0.2.7, 198.51.100.1']]) {
    client.send(get('a.example', '/', ...fields))
    statuses.push((await client.response()).status)
  }
  expect(statuses).toEqual([403, 200, 403])
})

test('X-Forwarded-Proto and -Port of strangers do not count with forwardedFrom: proxies', async () => {
  const claims = ['X-Forwarded-Proto: https', 'X-Forwarded-Port: 9']
  await using stage = await setStage({ settings: { forwardedFrom: 'proxies' } })
  stage.app.serve(request =>
    ok(`${fieldValue(request, 'x-forwarded-proto')} ${fieldValue(request, 'x-forwarded-port')}`),
  )
  const client = await stage.connect()
  client.send(get('a.example', '/', ...claims))
  expect((await client.response()).body.toString()).toBe('http 80')
  const proxyRealIpCidrs = [parseCidr('127.0.0.1')!]
  stage.thread.apply({ settings: defaultSettings({ forwardedFrom: 'proxies', proxyRealIpCidrs }) })
  client.send(get('a.example', '/', ...claims))
  expect((await client.response()).body.toString()).toBe('https 9')
})
