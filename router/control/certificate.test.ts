import { createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { expect, test } from 'vitest'
import { selfSign } from '#kit/self-signed.ts'
import { expiryProblem, readCertificate } from './certificate.ts'
import { type KeyType, makePair, makeSecret, type Pair } from './testdata/make-certificate.ts'

const now = Date.UTC(2026, 5, 1)
const later = now + 90 * 86_400_000
const ref = { kind: 'Secret', namespace: 'shop', name: 'web-cert' }
const pair = makePair('www.example', later)
const other = makePair('other.example', later)

const secret = (parts: Partial<Pair>) => makeSecret('shop', 'web-cert', parts)
const base64 = (text: string) => Buffer.from(text).toString('base64')

for (const type of ['rsa', 'ec', 'ed25519'] satisfies KeyType[]) {
  test(`§8 a whole pair, ${type}`, () => {
    const { crt, key } = makePair('www.example', later, type)
    const reading = readCertificate(ref, secret({ crt, key }))
    const { fingerprint256 } = new X509Certificate(crt)
    expect(reading).toEqual({
      kind: 'whole',
      certificate: { id: 'shop/web-cert', chain: crt, key, fingerprint: fingerprint256, notAfter: later },
      names: ['www.example'],
    })
  })
}

test('§8 a chain, and what else is in tls.crt stays out of it', () => {
  const crt = `a comment\n${pair.crt}${other.key}\n${other.crt}`
  const reading = readCertificate(ref, secret({ crt, key: pair.key }))
  expect(reading).toMatchObject({ kind: 'whole', certificate: { chain: pair.crt + other.crt, key: pair.key } })
})

test('§1 the type of the Secret is not looked at', () => {
  const typed = { ...secret(pair), type: 'kubernetes.io/tls' }
  expect(readCertificate(ref, typed)).toEqual(readCertificate(ref, { ...typed, type: 'Opaque' }))
})

test('a key in the form of OpenSSL 1.0, parameters first', () => {
  const sec1 = createPrivateKey(pair.key).export({ type: 'sec1', format: 'pem' }).toString()
  const key = `-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${sec1}`
  expect(readCertificate(ref, secret({ crt: pair.crt, key }))).toMatchObject({ kind: 'whole' })
  expect(() => createSecureContext({ cert: pair.crt, key })).not.toThrow()
})

test('a manifest may have stringData, which goes before data', () => {
  const manifest = { ...secret(other), stringData: { 'tls.crt': pair.crt, 'tls.key': pair.key } }
  expect(readCertificate(ref, manifest)).toMatchObject({ kind: 'whole', certificate: { chain: pair.crt } })
})

test('base64 may be folded', () => {
  const folded = base64(pair.crt).replaceAll(/.{76}/g, '$&\n')
  const data = { 'tls.crt': folded, 'tls.key': base64(pair.key) }
  expect(readCertificate(ref, { data })).toMatchObject({ kind: 'whole' })
})

test('the same pair again is the same certificate', () => {
  const first = readCertificate(ref, secret(pair))
  const last = first.kind === 'whole' ? first.certificate : null
  const second = readCertificate(ref, secret(pair), last)
  expect(second.kind === 'whole' && second.certificate === last).toBe(true)
  expect(readCertificate(ref, secret(other), last)).toMatchObject({ kind: 'whole', certificate: { chain: other.crt } })
})

const encrypted = createPrivateKey(pair.key)
  .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'hunter2' })
  .toString()
const garbled = pair.crt.replace(/\n[^\n]{20}/, '\nAAAAAAAAAAAAAAAAAAAA')

const broken: readonly (readonly [name: string, secret: unknown, reason: string])[] = [
  ['§1 no tls.key', secret({ crt: pair.crt }), 'it lacks "tls.key"'],
  ['§1 no tls.crt', secret({ key: pair.key }), 'it lacks "tls.crt"'],
  ['§1 no data', {}, 'it lacks "tls.crt"'],
  ['no object', null, 'it lacks "tls.crt"'],
  ['data is a list', { data: [] }, 'it lacks "tls.crt"'],
  ['a value that is no string', { data: { 'tls.crt': 1, 'tls.key': 'x' } }, '"tls.crt" is no base64 text'],
  ['no base64', { data: { 'tls.crt': '***', 'tls.key': 'x' } }, '"tls.crt" is no base64 text'],
  ['base64 cut short', { data: { 'tls.crt': 'QUJDR', 'tls.key': 'x' } }, '"tls.crt" is no base64 text'],
  ['stringData that is no string', { stringData: { 'tls.crt': 7 } }, 'stringData "tls.crt" is no string'],
  ['too long', { data: { 'tls.crt': 'A'.repeat(3_000_000) } }, '"tls.crt" is too long'],
  ['§3 no PEM', secret({ crt: 'hello', key: pair.key }), '"tls.crt" holds no PEM certificate'],
  ['empty', secret({ crt: '', key: '' }), '"tls.crt" holds no PEM certificate'],
  ['PEM cut short', secret({ crt: pair.crt.slice(0, 200), key: pair.key }), '"tls.crt" ends in the middle'],
  ['PEM of nonsense', secret({ crt: garbled, key: pair.key }), 'certificate 1 in "tls.crt" does not parse'],
  ['nonsense below the leaf', secret({ crt: pair.crt + garbled, key: pair.key }), 'certificate 2 in "tls.crt"'],
  ['§3 key is no PEM', secret({ crt: pair.crt, key: 'hello' }), 'the private key in "tls.key" does not parse'],
  ['key is a certificate', secret({ crt: pair.crt, key: pair.crt }), 'the private key in "tls.key" does not parse'],
  ['key is encrypted', secret({ crt: pair.crt, key: encrypted }), 'the private key in "tls.key" is encrypted'],
  ['§8 the key of another', secret({ crt: pair.crt, key: other.key }), 'the private key in "tls.key" does not belong'],
  [
    'leaf not first',
    secret({ crt: other.crt + pair.crt, key: pair.key }),
    'the private key in "tls.key" does not belong',
  ],
  ['a key too weak for OpenSSL', secret(makePair('weak', later, 'rsa', 1024)), 'OpenSSL does not accept the pair'],
]

for (const [name, object, reason] of broken) {
  test(`broken: ${name}`, () => {
    const reading = readCertificate(ref, object)
    expect(reading).toMatchObject({
      kind: 'broken',
      problem: { code: 'certificate-invalid', severity: 'error', object: ref },
    })
    const message = reading.kind === 'broken' ? reading.problem.message : ''
    expect(message).toContain(`Secret shop/web-cert holds no usable certificate: ${reason}`)
    for (const line of pair.key.split('\n').filter(line => line !== '')) expect(message).not.toContain(line)
  })
}

test('an expired leaf is whole, with a warning', () => {
  const reading = readCertificate(ref, secret(makePair('old.example', now - 1000)))
  if (reading.kind !== 'whole') throw new Error('broken')
  expect(expiryProblem(ref, reading.certificate, now)).toEqual({
    code: 'certificate-expired',
    severity: 'warning',
    object: ref,
    message: 'the certificate in Secret shop/web-cert expired at 2026-05-31T23:59:59.000Z; it is still served',
  })
  expect(expiryProblem(ref, reading.certificate, now - 1000)).toBeNull()
})

test('the names of a certificate: its DNS names, or its common name when it lists none', () => {
  const names = ({ crt, key }: Pair) => {
    const reading = readCertificate(ref, secret({ crt, key }))
    return reading.kind === 'whole' ? [...reading.names!] : []
  }
  expect(names(makePair('A.Example', later))).toEqual(['a.example'])
  const { chain, key } = selfSign(['www.example.com', '*.Example.com'], 30, now)
  expect(names({ crt: chain + pair.crt, key })).toEqual(['www.example.com', '*.example.com'])
})
