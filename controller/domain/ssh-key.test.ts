import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { parseKeyId, parsePublicKey } from './ssh-key.ts'
import { refused } from './testdata/refused.ts'

/** A blob of length-prefixed strings (RFC 4251, section 5). */
function blob(...parts: readonly (string | Uint8Array)[]): string {
  const chunks = parts.map(part => {
    const octets = Buffer.from(part as string)
    const length = Buffer.alloc(4)
    length.writeUInt32BE(octets.length)
    return Buffer.concat([length, octets])
  })
  return Buffer.concat(chunks).toString('base64')
}

const point = Buffer.alloc(32, 7)
const ed25519 = blob('ssh-ed25519', point)

const known = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH'

describe('section 5, Keys: public keys', () => {
  const types = [
    'ssh-ed25519',
    'ssh-rsa',
    'ecdsa-sha2-nistp256',
    'ecdsa-sha2-nistp384',
    'ecdsa-sha2-nistp521',
    'sk-ssh-ed25519@openssh.com',
    'sk-ecdsa-sha2-nistp256@openssh.com',
  ]
  for (const type of types)
    test(type, () => {
      const text = `${type} ${blob(type, point, point)} ann@example`
      expect(parsePublicKey(`\n${text} \n`)).toMatchObject({ public: text })
    })

  test('without comment, and with one of several words', () => {
    expect(parsePublicKey(`ssh-ed25519 ${ed25519}`).public).toBe(known)
    expect(parsePublicKey(`${known} ann's own key, 2026`).public).toBe(`${known} ann's own key, 2026`)
  })

  test('the fingerprint is MD5, in pairs, whatever the comment', () => {
    // What `ssh-keygen -l -E md5` says of it.
    expect(parsePublicKey(known).fingerprint).toBe('be:86:90:2b:33:7b:1a:cd:8a:9e:55:64:d7:04:f3:29')
    expect(parsePublicKey(`${known} x`).fingerprint).toBe(parsePublicKey(known).fingerprint)
  })

  test('a real key of RSA', () => {
    const { e, n } = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' })
    const modulus = Buffer.concat([Buffer.from([0]), Buffer.from(n!, 'base64url')])
    const text = `ssh-rsa ${blob('ssh-rsa', Buffer.from(e!, 'base64url'), modulus)}`
    expect(parsePublicKey(text).public).toBe(text)
  })

  const chars = 'Key contains invalid base64 chars'
  const bad: readonly (readonly [name: string, raw: unknown, want: string])[] = [
    ['none', undefined, 'This field is required.'],
    ['an empty one', '  ', 'This field may not be blank.'],
    ['one word', 'ssh-rsa', chars],
    ['no base64', 'ssh-ed25519 !!!!', chars],
    ['cut base64', `ssh-ed25519 ${ed25519.slice(0, -1)}`, chars],
    ['base64 with bits to spare', 'ssh-ed25519 AAAAB3==', chars],
    ['another type in it', `ssh-rsa ${ed25519}`, 'Key is no whole key of type ssh-rsa'],
    ['a cut key', `ssh-ed25519 ${ed25519.slice(0, -4)}`, 'Key is no whole key of type ssh-ed25519'],
    ['a type alone', `ssh-ed25519 ${blob('ssh-ed25519')}`, 'Key is no whole key of type ssh-ed25519'],
    ['an old type', `ssh-dss ${blob('ssh-dss', point)}`, 'Keys of type ssh-dss are not supported'],
    ['options', `command="id" ssh-ed25519 ${ed25519}`, chars],
    ['two keys', `${known}\n${known}`, 'A key is one line'],
    ['too long a one', `${known} ${'x'.repeat(20_000)}`, 'Ensure this field has no more than 16384 characters.'],
  ]
  for (const [name, raw, want] of bad)
    test(`refused: ${name}`, () => expect(refused(() => parsePublicKey(raw))).toEqual({ public: [want] }))
})

describe('section 5, Keys: ids', () => {
  for (const id of ['laptop', 'ann@my laptop.pub', 'a'.repeat(128)])
    test(id.slice(0, 20), () => expect(parseKeyId(id)).toBe(id))
  test('refused: too long', () =>
    expect(refused(() => parseKeyId('a'.repeat(129)))).toEqual({
      id: ['Ensure this field has no more than 128 characters.'],
    }))
  test('refused: none', () => expect(refused(() => parseKeyId(''))).toEqual({ id: ['This field may not be blank.'] }))
})
