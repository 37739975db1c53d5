import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { expect, test } from 'vitest'
import { selfSign } from '#kit/self-signed.ts'
import { makePair } from './testdata/make-certificate.ts'
import { isUsualPair } from './usual-pair.ts'

const now = Date.UTC(2026, 5, 1)
const { chain, key } = selfSign(['www.example'], 30, now)
const raw = new X509Certificate(chain).raw
const other = selfSign(['www.example'], 30, now)
const der = createPrivateKey(key).export({ type: 'pkcs8', format: 'der' })
const pemOf = (octets: Buffer): string => {
  const lines = octets.toString('base64').match(/.{1,64}/g)!
  return `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`
}
const withSecret = (hex: string): string => {
  const octets = Buffer.from(der)
  octets.write(hex, 36, 'hex')
  return pemOf(octets)
}
const order = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551'
const exported = (options: { type: 'sec1' | 'pkcs8'; cipher?: string; passphrase?: string }): string =>
  createPrivateKey(key)
    .export({ format: 'pem', ...options })
    .toString()
const pair384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey
const rsa = makePair('www.example', now, 'rsa')

const cases: readonly (readonly [name: string, certificate: Buffer, key: string, want: boolean])[] = [
  ['the usual pair', raw, key, true],
  ['written out again', raw, pemOf(der), true],
  ['no line feed at its end', raw, key.trimEnd(), true],
  ['the largest secret', raw, withSecret(`${order.slice(0, -1)}0`), true],
  ['a secret that is too large', raw, withSecret(order), false],
  ['a secret of 0', raw, withSecret('00'.repeat(32)), false],
  ['the key of another certificate', raw, other.key, false],
  ['in the form of SEC 1', raw, exported({ type: 'sec1' }), false],
  ['encrypted', raw, exported({ type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'x' }), false],
  ['of another curve', raw, pair384.export({ type: 'pkcs8', format: 'pem' }).toString(), false],
  ['RSA', new X509Certificate(rsa.crt).raw, rsa.key, false],
  ['something before it', raw, `a comment\n${key}`, false],
  ['something behind it', raw, `${key}${other.key}`, false],
  ['no key', raw, '', false],
  ['a key cut short', raw, pemOf(der.subarray(0, 137)), false],
  ['a certificate cut short', raw.subarray(0, 150), key, false],
  ['no certificate', Buffer.alloc(0), key, false],
  ['a length that leads out', Buffer.from('3084ffffffff', 'hex'), key, false],
  ['no definite length', Buffer.from('30803080', 'hex'), key, false],
]

for (const [name, certificate, text, want] of cases) test(name, () => expect(isUsualPair(certificate, text)).toBe(want))

test('what it says is what the library says, whatever octet of the certificate is another', () => {
  for (let at = 0; at < raw.length; at += 7) {
    const changed = Buffer.from(raw)
    changed[at]! ^= 0x41
    let library: boolean
    try {
      library = new X509Certificate(changed).checkPrivateKey(createPrivateKey(key))
    } catch {
      continue
    }
    if (isUsualPair(changed, key)) expect(library).toBe(true)
  }
})
