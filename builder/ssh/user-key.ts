// A key that a client offers: whether we take its kind at all, what the controller knows it by, and whether a signature
// was made with it.

import { createHash, createPublicKey } from 'node:crypto'
import ssh2, { type ParsedKey, type PublicKeyAuthContext } from 'ssh2'

const types = new Set(['ssh-ed25519', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521', 'ssh-rsa'])

/** Bits. */
const leastRsa = 2048
const mostRsa = 16_384

/** Null: a key of a kind that is not taken, or a signature with SHA-1. */
export function offeredKey(context: PublicKeyAuthContext): OfferedKey | null {
  const { algo, data } = context.key
  // Of RSA only rsa-sha2-256 and -512: the library says the digest then, and none for SHA-1.
  if (!types.has(algo) || (algo === 'ssh-rsa' && context.hashAlgo === undefined)) return null
  const parsed = ssh2.utils.parseKey(data)
  if (parsed instanceof Error) return null
  const key: ParsedKey = Array.isArray(parsed) ? parsed[0]! : parsed
  if (key.type !== algo || key.isPrivateKey()) return null
  if (algo === 'ssh-rsa') {
    const bits = createPublicKey(key.getPublicPEM()).asymmetricKeyDetails?.modulusLength ?? 0
    if (bits < leastRsa || bits > mostRsa) return null
  }
  return new OfferedKey(key, context)
}

export class OfferedKey {
  /** MD5, in pairs with colons: it is how the controller is asked, and protects nothing. */
  readonly fingerprint: string
  readonly #key: ParsedKey
  readonly #context: PublicKeyAuthContext

  constructor(key: ParsedKey, context: PublicKeyAuthContext) {
    this.#key = key
    this.#context = context
    this.fingerprint = createHash('md5').update(context.key.data).digest('hex').match(/../g)!.join(':')
  }

  /** False: the client only asks whether the key would do. */
  get signed(): boolean {
    return this.#context.signature !== undefined
  }

  verify(): boolean {
    const { blob, signature, hashAlgo } = this.#context
    return blob !== undefined && signature !== undefined && this.#key.verify(blob, signature, hashAlgo) === true
  }
}
