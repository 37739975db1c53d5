import { describe, expect, test } from 'vitest'
import { routeTo, upstreamAt } from '#test/support/data-thread.ts'
import type { Policy } from '../../model/route.ts'
import type { Scheme } from '../http/forwarded.ts'
import { RouteTable } from '../table/route-table.ts'
import { Upstream } from '../upstream/upstream.ts'
import { decide } from './chain.ts'

interface Case {
  readonly maintenance?: boolean
  readonly enforce?: boolean
  readonly endpoints?: boolean
  readonly scheme?: Scheme
}

/** What the chain answers to `GET /x?y` for `a.example`. */
function answerTo({
  maintenance = false,
  enforce = false,
  endpoints = true,
  scheme = 'http',
}: Case): ReturnType<typeof decide> {
  const policies: Policy[] = []
  if (maintenance) policies.push({ kind: 'maintenance' })
  if (enforce) policies.push({ kind: 'enforce-https' })
  const route = routeTo('a.example', 'a', {}, policies)
  const upstream = new Upstream(route.backend.upstream)
  if (endpoints) upstream.update(upstreamAt('a', 8080))
  const table = new RouteTable({ get: () => upstream })
  table.apply({ upserts: [route], deletes: [] })
  const request = { scheme: () => scheme, host: 'a.example', target: () => '/x?y' }
  return decide(table.match('a.example', '/x', false)!, request)
}

describe('§9 what answers before the app', () => {
  const rows: readonly (readonly [name: string, of: Case, status: number | null, location?: string])[] = [
    ['nothing', {}, null],
    ['nothing, over https', { enforce: true, scheme: 'https' }, null],
    ['nothing, over wss', { enforce: true, scheme: 'wss' }, null],
    ['maintenance', { maintenance: true }, 503],
    ['maintenance beats the redirect', { maintenance: true, enforce: true }, 503],
    ['maintenance without endpoints', { maintenance: true, endpoints: false }, 503],
    ['no endpoint', { endpoints: false }, 503],
    ['no endpoint beats the redirect', { endpoints: false, enforce: true }, 503],
    ['§8 the redirect', { enforce: true }, 301, 'https://a.example/x?y'],
    ['§8 the redirect of ws', { enforce: true, scheme: 'ws' }, 301, 'wss://a.example/x?y'],
  ]
  for (const [name, of, status, location = ''] of rows) {
    test(name, () => {
      const answer = answerTo(of)
      expect(answer?.status ?? null).toBe(status)
      expect(answer?.location ?? '').toBe(location)
    })
  }
})

test('§9 the maintenance page, octet for octet', () => {
  expect(answerTo({ maintenance: true })).toEqual({
    status: 503,
    body: '<!DOCTYPE html>\n<title>Site Maintenance</title>\n',
    contentType: 'text/html',
    location: '',
    requestIds: false,
  })
  expect(answerTo({ maintenance: true })?.body).toHaveLength(48)
  expect(answerTo({ maintenance: true, endpoints: false })).toEqual(answerTo({ maintenance: true }))
})

test('§12 request ids on the redirect and without endpoints', () => {
  expect(answerTo({ enforce: true })).toMatchObject({ requestIds: true, contentType: 'text/html' })
  expect(answerTo({ endpoints: false })).toMatchObject({ requestIds: true, contentType: 'text/html' })
})

test('the scheme and the target of a request are not made unless somebody asks', () => {
  const route = routeTo('a.example', 'a')
  const upstream = new Upstream(route.backend.upstream)
  upstream.update(upstreamAt('a', 8080))
  const table = new RouteTable({ get: () => upstream })
  table.apply({ upserts: [route], deletes: [] })
  const never = (): never => {
    throw new Error('asked')
  }
  expect(decide(table.match('a.example', '/', false)!, { scheme: never, host: 'a.example', target: never })).toBe(null)
})
