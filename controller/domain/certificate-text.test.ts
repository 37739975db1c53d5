import { createPrivateKey, X509Certificate } from 'node:crypto'
import forge from 'node-forge'
import { describe, expect, test } from 'vitest'
import { selfSign } from '#kit/self-signed.ts'
import { parseCertificateName, parseCertificateText } from './certificate-text.ts'
import { refused } from './testdata/refused.ts'

const now = Date.UTC(2026, 5, 1)
const pair = selfSign(['www.example', '*.shop.example'], 90, now)
const other = selfSign(['other.example'], 1, now)

const keys = forge.pki.rsa.generateKeyPair(1024)

/** A certificate with these attributes, in this order. */
function named(attributes: readonly (readonly [shortName: string, value: string])[]): string {
  const certificate = forge.pki.createCertificate()
  certificate.publicKey = keys.publicKey
  certificate.serialNumber = '01'
  certificate.validity.notBefore = new Date(now)
  certificate.validity.notAfter = new Date(now + 86_400_000)
  const subject = attributes.map(([shortName, value]) => ({ shortName, value, valueTagClass: forge.asn1.Type.UTF8 }))
  certificate.setSubject(subject as unknown as forge.pki.CertificateField[])
  certificate.setIssuer(subject as unknown as forge.pki.CertificateField[])
  certificate.sign(keys.privateKey, forge.md.sha256.create())
  return forge.pki.certificateToPem(certificate)
}

describe('section 4, Cert: what is read of it', () => {
  test('of one with names', () => {
    expect(parseCertificateText(pair.chain, pair.key)).toEqual({
      chain: pair.chain.trim(),
      key: pair.key.trim(),
      commonName: 'www.example',
      san: ['www.example', '*.shop.example'],
      fingerprint: new X509Certificate(pair.chain).fingerprint256,
      starts: new Date(now - 86_400_000),
      expires: new Date(pair.notAfter),
      issuer: '/CN=www.example',
      subject: '/CN=www.example',
    })
  })

  const rows: readonly (readonly [
    attributes: readonly (readonly [string, string])[],
    line: string,
    common: string | null,
  ])[] = [
    [
      [
        ['C', 'US'],
        ['ST', 'CO'],
        ['O', 'Deis'],
        ['CN', 'x.example'],
      ],
      '/C=US/ST=CO/O=Deis/CN=x.example',
      'x.example',
    ],
    [
      [
        ['CN', 'x.example'],
        ['C', 'US'],
      ],
      '/CN=x.example/C=US',
      'x.example',
    ],
    [
      [
        ['O', 'Smith, Jones + Sons "Ltd" <x>'],
        ['CN', 'a=b'],
      ],
      '/O=Smith, Jones + Sons "Ltd" <x>/CN=a=b',
      'a=b',
    ],
    [[['O', 'back\\slash # 1']], '/O=back\\slash # 1', null],
    [
      [
        ['O', 'two\nlines'],
        ['CN', 'x'],
      ],
      '/O=two\\0Alines/CN=x',
      'x',
    ],
    [
      [
        ['CN', 'first'],
        ['CN', 'second'],
      ],
      '/CN=first/CN=second',
      'first',
    ],
  ]
  for (const [attributes, line, common] of rows)
    test(line, () => {
      const read = parseCertificateText(named(attributes), other.key)
      expect(read).toMatchObject({ subject: line, issuer: line, commonName: common, san: [] })
    })

  test('the first of a chain counts', () => {
    expect(parseCertificateText(other.chain + pair.chain, other.key)).toMatchObject({ commonName: 'other.example' })
  })
})

test('section 5, Certificates: a pair that does not match is taken', () => {
  expect(refused(() => parseCertificateText(pair.chain, other.key))).toBe('accepted')
})

const encrypted = createPrivateKey(pair.key)
  .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'hunter2' })
  .toString()
const garbled = pair.chain.replace(/\n[^\n]{20}/, '\nAAAAAAAAAAAAAAAAAAAA')
const certificate = (why: string): object => ({ certificate: [`Could not load certificate: ${why}`] })
const key = (why: string): object => ({ key: [`Could not load private key: ${why}`] })

const faults: readonly (readonly [name: string, chain: unknown, key: unknown, want: object])[] = [
  ['no PEM', 'MIIB', pair.key, certificate('no PEM certificate found')],
  ['a garbled one', garbled, pair.key, certificate('certificate 1 does not parse')],
  ['a garbled one behind a good one', pair.chain + garbled, pair.key, certificate('certificate 2 does not parse')],
  ['the key with it', pair.chain + pair.key, pair.key, certificate('there is a private key in it')],
  ['a chain too long', pair.chain.repeat(101), pair.key, certificate('more than 100 certificates in one chain')],
  ['no key', pair.chain, 'x', key('it is no PEM private key')],
  ['a certificate for a key', pair.chain, pair.chain, key('it is no PEM private key')],
  ['an encrypted key', pair.chain, encrypted, key('it is encrypted')],
  ['both', '?', '?', { ...certificate('no PEM certificate found'), ...key('it is no PEM private key') }],
  ['none', undefined, '', { certificate: ['This field is required.'], key: ['This field may not be blank.'] }],
  [
    'a megabyte',
    'x'.repeat(1_000_000),
    pair.key,
    { certificate: ['Ensure this field has no more than 900000 characters.'] },
  ],
  ['a huge key', pair.chain, 'x'.repeat(100_001), { key: ['Ensure this field has no more than 100000 characters.'] }],
]

describe('section 5, Certificates: refused', () => {
  for (const [name, chain, secret, want] of faults)
    test(name, () => expect(refused(() => parseCertificateText(chain, secret))).toEqual(want))
})

describe('section 5, Certificates: names', () => {
  for (const name of ['a', 'www-example-1', 'a'.repeat(253)])
    test(name.slice(0, 20), () => expect(parseCertificateName(name)).toBe(name))
  for (const name of ['A', 'a.b', 'a_b', '../a', 'a b', 'ä'])
    test(`refused: ${name}`, () =>
      expect(refused(() => parseCertificateName(name))).toEqual({
        name: ['Can only contain a-z (lowercase), 0-9 and hyphens'],
      }))
  test('refused: too long', () => {
    const message = 'Ensure this field has no more than 253 characters.'
    expect(refused(() => parseCertificateName('a'.repeat(254)))).toEqual({ name: [message] })
  })
})
