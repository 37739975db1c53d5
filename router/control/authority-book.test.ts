// Client certificates from annotations and Secrets to what data threads are told (settings.md, `clientCertificates`).

import { describe, expect, test } from 'vitest'
import { app, ingress, Stage, service, slice } from '#test/support/world-stage.ts'
import type { Policy } from '../model/route.ts'
import { makeSigned } from './testdata/make-certificate.ts'

const staff = makeSigned('staff', null).crt
const guests = makeSigned('guests', null).crt

type Rule = Extract<Policy, { kind: 'client-certificate' }>

/** What a route asks of its clients; undefined: nothing. */
function ruleOf(stage: Stage, route: string): Rule | undefined {
  return stage.routes.get(route)?.policies.find(policy => policy.kind === 'client-certificate')
}

/** The PEM of whom a route's clients have to be signed by; null: nobody gets in. */
function signers(stage: Stage, route: string): string | null | undefined {
  const id = ruleOf(stage, route)?.authorities
  return typeof id === 'string' ? stage.authorities.get(id) : id
}

const web = (annotations: Readonly<Record<string, string>>) => app('shop/web', { domains: 'a.example', ...annotations })
const route = 'service/shop/web/a.example'
const named = { 'clientCertificates.secret': 'ca' }

test('a Service: closed until the Secret is heard of, then as it says, always', () => {
  const stage = new Stage().put(web(named))
  stage.world.take()
  expect(stage.world.wantedSecrets().get('shop/ca (authorities)')).toEqual({ namespace: 'shop', name: 'ca' })
  stage.clientAuthorities('shop/ca', staff).settle()
  expect([signers(stage, route), stage.problems()]).toEqual([staff, []])
  expect(ruleOf(stage, route)).toMatchObject({ required: true, passToApp: false })
  stage.clientAuthorities('shop/ca', guests).settle()
  expect([signers(stage, route), [...stage.authorities.values()]]).toEqual([guests, [guests]])
  stage.clientAuthorities('shop/ca', staff + guests).settle()
  expect(signers(stage, route)).toBe(staff + guests)
  stage.put(web({})).settle()
  expect([ruleOf(stage, route), stage.authorities.size]).toEqual([undefined, 0])
  expect(stage.world.wantedSecrets().has('shop/ca (authorities)')).toBe(false)
})

describe('nobody gets in', () => {
  const rows: readonly (readonly [
    name: string,
    annotations: Readonly<Record<string, string>>,
    secret: string | null,
    problem: string,
    says: string,
  ])[] = [
    ['no Secret', named, null, 'authorities-missing', 'does not exist; nobody gets in'],
    ['a Secret with something else', named, 'hello', 'authorities-invalid', 'holds no PEM certificate; nobody gets in'],
    ['a name that is none', { 'clientCertificates.secret': 'x/y' }, staff, 'invalid-annotation', 'nobody gets in'],
    ['an empty name', { 'clientCertificates.secret': '' }, staff, 'invalid-annotation', 'nobody gets in'],
    ['a mode alone', { 'clientCertificates.mode': 'optional' }, staff, 'invalid-annotation', 'nobody gets in'],
    ['passToApp alone', { 'clientCertificates.passToApp': 'true' }, staff, 'invalid-annotation', 'nobody gets in'],
  ]
  for (const [name, annotations, secret, problem, says] of rows) {
    test(name, () => {
      const stage = new Stage().put(web(annotations)).clientAuthorities('shop/ca', secret)
      stage.settle()
      expect(signers(stage, route)).toBe(null)
      expect(stage.problems()).toEqual([`${problem} shop/web`])
      expect(stage.messages()[0]).toContain(says)
      stage.put(web(named)).clientAuthorities('shop/ca', staff).settle()
      expect([signers(stage, route), stage.problems()]).toEqual([staff, []])
    })
  }

  test('no more, when the Secret is deleted or broken: nothing of it is kept', () => {
    const stage = new Stage().put(web(named)).clientAuthorities('shop/ca', staff)
    stage.settle()
    for (const [text, problem] of [
      ['broken', 'authorities-invalid shop/web'],
      [null, 'authorities-missing shop/web'],
    ] as const) {
      stage.clientAuthorities('shop/ca', text).settle()
      expect([signers(stage, route), stage.authorities.size, stage.problems()]).toEqual([null, 0, [problem]])
      stage.clientAuthorities('shop/ca', staff).settle()
      expect([signers(stage, route), stage.problems()]).toEqual([staff, []])
    }
  })
})

test('a bad mode is the stricter one, a bad passToApp none; both are said', () => {
  const bad = { ...named, 'clientCertificates.mode': 'Optional', 'clientCertificates.passToApp': 'yes' }
  const stage = new Stage().put(web(bad)).clientAuthorities('shop/ca', staff)
  stage.settle()
  expect(ruleOf(stage, route)).toMatchObject({ required: true, passToApp: false })
  expect([signers(stage, route), stage.problems()]).toEqual([
    staff,
    ['invalid-annotation shop/web', 'invalid-annotation shop/web'],
  ])
})

test('optional, and told to the app', () => {
  const asked = { ...named, 'clientCertificates.mode': 'optional', 'clientCertificates.passToApp': 'true' }
  const stage = new Stage().put(web(asked)).clientAuthorities('shop/ca', staff)
  stage.settle()
  expect(ruleOf(stage, route)).toMatchObject({ required: false, passToApp: true })
})

test('two Services with the same authorities in Secrets of their own', () => {
  const stage = new Stage().put(web(named), app('pay/web', { domains: 'b.example', ...named }))
  stage.clientAuthorities('shop/ca', staff).clientAuthorities('pay/ca', staff).settle()
  expect(stage.authorities.size).toBe(1)
  stage.clientAuthorities('shop/ca', null).settle()
  expect([signers(stage, route), signers(stage, 'service/pay/web/b.example')]).toEqual([null, staff])
  expect(stage.problems()).toEqual(['authorities-missing shop/web'])
})

test('one Secret for the certificate of a host and for its clients', () => {
  const stage = new Stage().put(web({ certificates: 'a.example:one' }))
  const { crt, key } = makeSigned('a.example', null)
  stage.secret('shop/one-cert', { crt, key }).settle()
  expect(stage.certificate('a.example')).toBe('shop/one-cert')
  stage.put(web({ certificates: 'a.example:one', 'clientCertificates.secret': 'one-cert' })).settle()
  // It was told of long ago, and is asked for anew.
  expect([signers(stage, route), stage.problems()]).toEqual([null, ['authorities-invalid shop/web']])
})

test('locations of another app are behind the certificates of the host', () => {
  const handler = app('shop/docs', { domains: 'docs.example', proxyDomain: 'a.example', proxyLocations: '/docs' })
  const stage = new Stage().put(web(named), handler).clientAuthorities('shop/ca', staff)
  stage.settle()
  expect(signers(stage, `${route}/docs`)).toBe(staff)
  expect(ruleOf(stage, 'service/shop/docs/docs.example')).toBeUndefined()
})

test('an Ingress, by the same annotations', () => {
  const annotations = { 'router.deis.io/clientCertificates.secret': 'ca' }
  const stage = new Stage()
    .put(service('shop/web', [80]), slice('shop/web', '', 80, '192.0.2.1'))
    .put(ingress('shop/web', { rules: ['a.example / web:80'], annotations }))
    .clientAuthorities('shop/ca', staff)
  stage.settle()
  const id = [...stage.routes.keys()][0]!
  expect([signers(stage, id), stage.problems()]).toEqual([staff, []])
  stage.clientAuthorities('shop/ca', null).settle()
  expect([signers(stage, id), stage.problems()]).toEqual([null, ['authorities-missing shop/web']])
  stage.remove(ingress('shop/web', {})).settle()
  expect([stage.authorities.size, stage.problems()]).toEqual([0, []])
})
