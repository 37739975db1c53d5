// Passwords are kept as scrypt digests (RFC 7914), each with its own salt and with the costs it was made with, so that
// those may rise later.

import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto'

export interface PasswordCosts {
  readonly N: number
  readonly r: number
  readonly p: number
}

/** 16 MB and some 40 ms for each guess. */
export const standardCosts: PasswordCosts = { N: 2 ** 14, r: 8, p: 1 }
const length = 32

export class Passwords {
  readonly #costs: PasswordCosts
  /** What no password has the digest of. */
  readonly #nobody: string

  /** Fewer costs are for tests that are not about guessing. */
  constructor(costs: PasswordCosts = standardCosts) {
    this.#costs = costs
    this.#nobody = `scrypt$${costs.N}$${costs.r}$${costs.p}$${'A'.repeat(22)}==$${'A'.repeat(43)}=`
  }

  /** `scrypt$N$r$p$salt$digest`, the last two in base64. */
  async hash(password: string): Promise<string> {
    const { N, r, p } = this.#costs
    const salt = randomBytes(16)
    const digest = await derive(password, salt, length, { N, r, p })
    return ['scrypt', N, r, p, salt.toString('base64'), digest.toString('base64')].join('$')
  }

  /** Takes as long when `hash` is null, so that nobody learns which names exist. */
  async check(password: string, hash: string | null): Promise<boolean> {
    const [kind, N, r, p, salt, digest] = (hash ?? this.#nobody).split('$')
    if (kind !== 'scrypt' || salt === undefined || digest === undefined) return false
    const wanted = Buffer.from(digest, 'base64')
    const options = { N: Number(N), r: Number(r), p: Number(p) }
    const given = await derive(password, Buffer.from(salt, 'base64'), wanted.length, options)
    return timingSafeEqual(given, wanted) && hash !== null
  }
}

function derive(password: string, salt: Buffer, octets: number, options: ScryptOptions): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  scrypt(password, salt, octets, { ...options, maxmem: 64 * 1024 * 1024 }, (error, key) =>
    error === null ? resolve(key) : reject(error),
  )
  return promise
}
