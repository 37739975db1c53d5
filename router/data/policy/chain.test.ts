import { describe, expect, test } from 'vitest'
import { routeTo, upstreamAt } from '#test/support/data-thread.ts'
import { UpstreamStage } from '#test/support/upstream-stage.ts'
import type { AuthoritiesId } from '../../model/authorities.ts'
import { parseCidr } from '../../model/cidr.ts'
import type { Policy } from '../../model/route.ts'
import type { ClientCertificate } from '../client-certificate.ts'
import type { Scheme } from '../http/forwarded.ts'
import { RouteTable } from '../table/route-table.ts'
import { decide } from './chain.ts'
import type { ClientCertificateRule } from './client-certificate.ts'

interface Case {
  readonly maintenance?: boolean
  readonly enforce?: boolean
  readonly endpoints?: boolean
  readonly scheme?: Scheme
  readonly exceptChallenges?: boolean
  readonly path?: string
  /** Blocks of the allow list; the client is 192.0.2.1. */
  readonly allow?: readonly string[]
  /** Whom the app takes for known. */
  readonly rule?: Partial<ClientCertificateRule>
  readonly secure?: boolean
  /** What the handshake told; nothing unless told. */
  readonly shown?: Partial<ClientCertificate> | null
}

const authorities = 'aa' as AuthoritiesId
const others = 'bb' as AuthoritiesId

const verified: ClientCertificate = {
  serverName: 'a.example',
  authorities,
  standing: 'verified',
  notAfter: Number.POSITIVE_INFINITY,
  lines: '',
}

/** What the chain answers to `GET /x?y` for `a.example`. */
function answerTo({
  maintenance = false,
  enforce = false,
  endpoints = true,
  scheme = 'http',
  exceptChallenges = false,
  path = '/x',
  allow,
  rule,
  secure = rule !== undefined,
  shown = null,
}: Case): ReturnType<typeof decide> {
  const policies: Policy[] = []
  if (maintenance) policies.push({ kind: 'maintenance' })
  if (enforce) policies.push({ kind: 'enforce-https', exceptChallenges })
  if (allow !== undefined) policies.push({ kind: 'allow-list', blocks: allow.map(block => parseCidr(block)!) })
  if (rule !== undefined)
    policies.push({ kind: 'client-certificate', authorities, required: true, passToApp: false, ...rule })
  const route = routeTo('a.example', 'a', {}, policies)
  const upstream = new UpstreamStage().upstream()
  if (endpoints) upstream.update(upstreamAt('a', 8080))
  const table = new RouteTable({ get: () => upstream })
  table.apply({ upserts: [route], deletes: [] })
  const target = (): string => `${path}?y`
  const request = {
    scheme: () => scheme,
    host: 'a.example',
    target,
    path: () => path,
    clientAddress: '192.0.2.1',
    secure,
    clientCertificate: shown === null ? null : { ...verified, ...shown },
  }
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
    ['§10 a client on the list', { allow: ['192.0.2.0/24'] }, null],
    ['§10 a client that is not on it', { allow: ['198.51.100.0/24'] }, 403],
    ['§10 a list without blocks lets nobody in', { allow: [] }, 403],
    ['§10 IPv6 blocks are no IPv4 blocks', { allow: ['::/0'] }, 403],
    ['the redirect beats the list', { allow: [], enforce: true }, 301, 'https://a.example/x?y'],
    ['no endpoint beats the list', { allow: [], endpoints: false }, 503],
    ['the list beats the maintenance page', { allow: [], maintenance: true }, 403],
    ['maintenance for a client on the list', { allow: ['192.0.2.1'], maintenance: true }, 503],
    ['a certificate that counts', { rule: {}, shown: {} }, null],
    ['a certificate that has expired since', { rule: {}, shown: { notAfter: 1 } }, 400],
    ['a certificate of somebody else', { rule: {}, shown: { standing: 'invalid' } }, 400],
    ['the same, where none is required', { rule: { required: false }, shown: { standing: 'invalid' } }, 400],
    ['no certificate', { rule: {}, shown: { standing: 'none' } }, 400],
    ['no certificate where none is required', { rule: { required: false }, shown: { standing: 'none' } }, null],
    ['a handshake that asked for none', { rule: {} }, 421],
    ['the same, where none is required', { rule: { required: false } }, 421],
    ['a handshake for another host', { rule: {}, shown: { serverName: 'b.example' } }, 421],
    ['a handshake without a name', { rule: {}, shown: { serverName: '' } }, 421],
    ['a certificate by authorities that counted before', { rule: {}, shown: { authorities: others } }, 421],
    ['plain HTTP', { rule: {}, secure: false }, 403],
    ['plain HTTP, though a proxy says it was not', { rule: {}, secure: false, scheme: 'https' }, 403],
    ['no authorities let nobody in', { rule: { authorities: null }, shown: {} }, 403],
    ['no authorities, and none required', { rule: { authorities: null, required: false }, shown: {} }, 403],
    ['the redirect beats a certificate', { rule: {}, secure: false, enforce: true }, 301, 'https://a.example/x?y'],
    ['the list beats a certificate', { rule: {}, shown: { standing: 'none' }, allow: [] }, 403],
    ['no endpoint beats a certificate', { rule: {}, endpoints: false }, 503],
    ['maintenance beats a certificate', { rule: {}, maintenance: true }, 503],
    [
      'I-T7 a challenge is spared the redirect',
      { enforce: true, exceptChallenges: true, path: '/.well-known/acme-challenge/x' },
      null,
    ],
    ['I-T7 nothing else is', { enforce: true, exceptChallenges: true }, 301, 'https://a.example/x?y'],
    [
      '§8 no exemption for challenges of a Service',
      { enforce: true, path: '/.well-known/acme-challenge/x' },
      301,
      'https://a.example/.well-known/acme-challenge/x?y',
    ],
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
    retryAfter: 0,
    requestIds: false,
    admitted: false,
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
  const upstream = new UpstreamStage().upstream()
  upstream.update(upstreamAt('a', 8080))
  const table = new RouteTable({ get: () => upstream })
  table.apply({ upserts: [route], deletes: [] })
  const never = (): never => {
    throw new Error('asked')
  }
  const request = {
    scheme: never,
    host: 'a.example',
    target: never,
    path: never,
    clientAddress: '192.0.2.1',
    secure: false,
    clientCertificate: null,
  }
  expect(decide(table.match('a.example', '/', false)!, request)).toBe(null)
})

test('§8 HSTS is promised once the redirect is behind', () => {
  expect(answerTo({ allow: [] })?.admitted).toBe(true)
  expect(answerTo({ allow: [], maintenance: true })?.admitted).toBe(false)
  expect(answerTo({ enforce: true })?.admitted).toBe(false)
  expect(answerTo({ endpoints: false })?.admitted).toBe(false)
})
