// Public SSH keys as users send them (controller contract, section 5, Keys; RFC 4253, section 6.6).

import { createHash } from 'node:crypto'
import { quoted, readText } from './field.ts'
import { invalid } from './refusal.ts'
import type { Key } from './user.ts'

const longestId = 128

/** Characters; RSA of 16,384 bits has 2,800. */
const longest = 16_384

const types = new Set([
  'ssh-ed25519',
  'ssh-rsa',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'sk-ssh-ed25519@openssh.com',
  'sk-ecdsa-sha2-nistp256@openssh.com',
])

export const keyIdTaken = 'SSH Key with this id already exists.'
export const publicKeyTaken = 'Public Key is already in use'

export function parseKeyId(raw: unknown): string {
  return readText('id', raw, { most: longestId })
}

/** One key: type, base64, and a comment maybe. It ends up as a line of a file, so it is one. */
export function parsePublicKey(raw: unknown): Pick<Key, 'public' | 'fingerprint'> {
  const text = readText('public', raw, { most: longest })
  const [type, body] = text.split(/[ \t]+/, 2)
  if (/[\x00-\x08\x0a-\x1f\x7f]/.test(text)) throw invalid('public', 'A key is one line')
  const blob = body === undefined ? null : decode(body)
  if (blob === null) throw invalid('public', 'Key contains invalid base64 chars')
  if (!types.has(type!)) throw invalid('public', `Keys of type ${quoted(type)} are not supported`)
  if (!holds(blob, type!)) throw invalid('public', `Key is no whole key of type ${type}`)
  return { public: text, fingerprint: fingerprintOf(blob) }
}

function decode(body: string): Buffer | null {
  const digits = body.replace(/={1,2}$/, '')
  if (!/^[A-Za-z0-9+/]+$/.test(digits) || digits.length % 4 === 1) return null
  const blob = Buffer.from(digits, 'base64')
  // Padding is part of it, and bits that nobody reads are zero: a key has one text only.
  return blob.toString('base64') === body ? blob : null
}

/** Whether it is a list of length-prefixed strings to its last octet, of which the first is the type. */
function holds(blob: Buffer, type: string): boolean {
  let offset = 0
  let strings = 0
  while (offset + 4 <= blob.length) {
    const start = offset + 4
    const end = start + blob.readUInt32BE(offset)
    if (end > blob.length) return false
    if (strings === 0 && blob.toString('latin1', start, end) !== type) return false
    strings++
    offset = end
  }
  return offset === blob.length && strings >= 2
}

/** MD5, in pairs with colons: how builders ask for keys. It protects nothing. */
export function fingerprintOf(blob: Uint8Array): string {
  return createHash('md5').update(blob).digest('hex').match(/../g)!.join(':')
}
