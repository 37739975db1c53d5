import { expect, test } from 'vitest'
import { pairKeys, textOf, unpacked } from './secret-text.ts'

const metadata = { name: 'web-cert', namespace: 'shop' }
const tooLong = 'A'.repeat(3_000_000)

const cases: readonly (readonly [name: string, secret: object, want: object])[] = [
  [
    'what can be read',
    { data: { 'tls.crt': 'Yw==', 'tls.key': 'aw==', other: 'bw==' } },
    { data: { other: 'bw==' }, stringData: { 'tls.crt': 'c', 'tls.key': 'k' } },
  ],
  ['what cannot', { data: { 'tls.crt': '***' } }, { data: { 'tls.crt': '***' }, stringData: {} }],
  ['what is no text', { data: { 'tls.crt': 7 } }, { data: { 'tls.crt': 7 }, stringData: {} }],
  ['what is too long', { data: { 'tls.crt': tooLong } }, { data: { 'tls.crt': tooLong }, stringData: {} }],
  [
    'stringData goes before',
    { data: { 'tls.crt': 'Yw==' }, stringData: { 'tls.crt': 'd' } },
    { data: { 'tls.crt': 'Yw==' }, stringData: { 'tls.crt': 'd' } },
  ],
  ['no data', {}, {}],
  ['data that is a list', { data: ['Yw=='] }, { data: ['Yw=='] }],
  [
    'stringData that is no mapping',
    { data: { 'tls.crt': 'Yw==' }, stringData: 'd' },
    { data: { 'tls.crt': 'Yw==' }, stringData: 'd' },
  ],
]

for (const [name, secret, want] of cases)
  test(`unpacked: ${name}`, () => {
    expect(unpacked({ metadata, ...secret }, pairKeys)).toEqual({ metadata, ...want })
  })

for (const [name, secret] of cases)
  test(`unpacked says the same, or is as wrong: ${name}`, () => {
    const read = (from: unknown): string => {
      try {
        return textOf(from, 'tls.crt')
      } catch (error) {
        return `${error}`
      }
    }
    expect(read(unpacked({ metadata, ...secret }, pairKeys))).toBe(read(secret))
  })
