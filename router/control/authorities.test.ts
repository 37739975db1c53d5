import { expect, test } from 'vitest'
import { readAuthorities } from './authorities.ts'
import { longestAuthorities } from './bounds.ts'
import { makeSigned } from './testdata/make-certificate.ts'

const { crt: a, key } = makeSigned('a', null)
const { crt: b } = makeSigned('b', null)

function read(text: string | undefined) {
  const data = text === undefined ? {} : { 'ca.crt': Buffer.from(text).toString('base64') }
  return readAuthorities({ metadata: { name: 'ca' }, data })
}

function idOf(text: string): string {
  const reading = read(text)
  return reading.kind === 'whole' ? reading.authorities.id : reading.reason
}

test('the same certificates are the same authorities, in whatever order and however often', () => {
  expect(idOf(a)).toMatch(/^[0-9a-f]{64}$/)
  expect(idOf(a + b)).toBe(idOf(b + a))
  expect(idOf(a + a)).toBe(idOf(a))
  expect(idOf(`Subject: a\n${a.replaceAll('\n', '\r\n')}`)).toBe(idOf(a))
  expect(new Set([idOf(a), idOf(b), idOf(a + b)]).size).toBe(3)
})

test('nothing but certificates is kept', () => {
  expect(read(a + key + b)).toMatchObject({ kind: 'whole', authorities: { chain: a + b } })
})

const broken: readonly (readonly [name: string, text: string | undefined, reason: string])[] = [
  ['no such key', undefined, 'it lacks "ca.crt"'],
  ['nothing', '', '"ca.crt" holds no PEM certificate'],
  ['a private key', key, '"ca.crt" holds no PEM certificate'],
  ['a good one and one that is none', a + b.replace(/^MI/m, 'AA'), 'certificate 2 in "ca.crt" does not parse'],
  ['one that is cut off', a.slice(0, -30), '"ca.crt" ends in the middle of a certificate'],
  ['too many', a.repeat(101), '"ca.crt" holds 101 certificates, more than 100'],
  ['too much', `${a}${'#'.repeat(longestAuthorities)}`, '"ca.crt" is longer than'],
]
for (const [name, text, reason] of broken) {
  test(`not usable: ${name}`, () =>
    expect(read(text)).toEqual({ kind: 'broken', reason: expect.stringContaining(reason) }))
}

test('whatever a Secret may be, it does not throw', () => {
  for (const secret of [null, 7, [], { data: 7 }, { data: { 'ca.crt': 7 } }, { data: { 'ca.crt': '%' } }])
    expect(readAuthorities(secret).kind).toBe('broken')
})
