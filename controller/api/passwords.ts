// Passwords are kept as scrypt digests (RFC 7914), each with its own salt and with the costs it was made with, so that
// those may rise later.

import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto'

/** 16 MB and some 40 ms for each guess. */
const costs = { N: 2 ** 14, r: 8, p: 1 } as const
const length = 32

/** `scrypt$N$r$p$salt$digest`, the last two in base64. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16)
  const digest = await derive(password, salt, length, costs)
  return ['scrypt', costs.N, costs.r, costs.p, salt.toString('base64'), digest.toString('base64')].join('$')
}

/** Takes as long when `hash` is null, so that nobody learns which names exist. */
export async function checkPassword(password: string, hash: string | null): Promise<boolean> {
  const [kind, N, r, p, salt, digest] = (hash ?? nobody).split('$')
  if (kind !== 'scrypt' || salt === undefined || digest === undefined) return false
  const wanted = Buffer.from(digest, 'base64')
  const options = { N: Number(N), r: Number(r), p: Number(p) }
  const given = await derive(password, Buffer.from(salt, 'base64'), wanted.length, options)
  return timingSafeEqual(given, wanted) && hash !== null
}

const nobody = `scrypt$${costs.N}$${costs.r}$${costs.p}$${'A'.repeat(22)}==$${'A'.repeat(43)}=`

function derive(password: string, salt: Buffer, octets: number, options: ScryptOptions): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  scrypt(password, salt, octets, { ...options, maxmem: 64 * 1024 * 1024 }, (error, key) =>
    error === null ? resolve(key) : reject(error),
  )
  return promise
}
