// Tokens for the registry (Docker token authentication): signed by the controller, read by the registry with the public
// half of the key.

import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
} from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errors, jwtVerify, SignJWT } from 'jose'
import { exitCode, StartupError } from '#kit/exit.ts'
import { makeDirectory } from '#kit/make-directory.ts'

/** One thing that the bearer may do. */
export interface Grant {
  readonly type: 'repository' | 'registry'
  readonly name: string
  readonly actions: readonly string[]
}

export interface SignedToken {
  readonly token: string
  readonly issued: Date
  /** Seconds. */
  readonly lifetime: number
}

export interface TokenRights {
  readonly access: readonly Grant[]
  /** Seconds. */
  readonly left: number
}

const issuer = 'deis-controller'
/** Seconds. Long enough for one layer on a slow line to begin; what is under way is not broken off. */
export const standardLifetime = 900
/** Seconds that clocks may differ by. */
const leeway = 30

export class RegistryTokens {
  /** Who the tokens are for. */
  readonly service: string
  /** PEM. */
  readonly publicKey: string
  readonly #key: KeyObject
  readonly #publicKey: KeyObject
  readonly #keyId: string

  /** `key`: private, of P-256. */
  constructor(key: KeyObject, service: string) {
    const publicKey = createPublicKey(key)
    this.service = service
    this.publicKey = publicKey.export({ type: 'spki', format: 'pem' }).toString()
    this.#key = key
    this.#publicKey = publicKey
    this.#keyId = keyIdOf(publicKey)
  }

  /** From a PEM file. Throws StartupError 64. */
  static async read(file: string, service: string): Promise<RegistryTokens> {
    const text = await readFile(file, 'utf8').catch((error: Error) => {
      throw new StartupError(exitCode.usage, `the key for registry tokens cannot be read: ${error.message}`)
    })
    let key: KeyObject
    try {
      key = createPrivateKey(text)
    } catch {
      throw new StartupError(exitCode.usage, `${file} holds no private key in PEM form`)
    }
    if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
      throw new StartupError(exitCode.usage, `${file} must hold a key of the curve P-256`)
    return new RegistryTokens(key, service)
  }

  /** From the directory, where it is made when there is none; the public half is beside it, for the registry. */
  static async keep(directory: string, service: string): Promise<RegistryTokens> {
    const file = join(directory, 'registry-token.pem')
    try {
      makeDirectory(directory, 0o700)
    } catch (error) {
      const why = `${directory} cannot be used: ${(error as Error).message}`
      throw new StartupError(exitCode.unavailable, why, { cause: error })
    }
    const known = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null
      throw error
    })
    if (known === null) {
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      await replace(file, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), 0o600)
    }
    const tokens = await RegistryTokens.read(file, service)
    await replace(join(directory, 'registry-token.pub.pem'), tokens.publicKey, 0o644)
    return tokens
  }

  /** `lifetime`: seconds. */
  async sign(subject: string, access: readonly Grant[], lifetime = standardLifetime): Promise<SignedToken> {
    const issued = new Date()
    const seconds = Math.floor(issued.getTime() / 1000)
    const token = await new SignJWT({ access })
      .setProtectedHeader({ alg: 'ES256', typ: 'JWT', kid: this.#keyId })
      .setIssuer(issuer)
      .setSubject(subject)
      .setAudience(this.service)
      .setIssuedAt(seconds)
      .setNotBefore(seconds - leeway)
      .setExpirationTime(seconds + lifetime)
      .setJti(randomUUID())
      .sign(this.#key)
    return { token, issued, lifetime }
  }

  /** What one of ours allows its bearer; null: it is none of ours, or over. */
  async rights(token: string): Promise<TokenRights | null> {
    try {
      const options = { issuer, audience: this.service, algorithms: ['ES256'], requiredClaims: ['exp'] }
      const { payload } = await jwtVerify(token, this.#publicKey, options)
      // We signed it: so it is as we make them.
      return { access: payload.access as readonly Grant[], left: Math.floor(payload.exp! - Date.now() / 1000) }
    } catch (error) {
      if (error instanceof errors.JOSEError) return null
      throw error
    }
  }
}

async function replace(file: string, text: string, mode: number): Promise<void> {
  const draft = `${file}.draft`
  await writeFile(draft, text, { mode })
  await rename(draft, file)
}

/** As Docker's registry calls keys: the first 240 bits of the digest of the public key, in base32, by fours. */
function keyIdOf(key: KeyObject): string {
  const digest = createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest()
    .subarray(0, 30)
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
  let bits = ''
  for (const byte of digest) bits += byte.toString(2).padStart(8, '0')
  const text = (bits.match(/.{5}/g) ?? []).map(five => letters[Number.parseInt(five, 2)]).join('')
  return (text.match(/.{4}/g) ?? []).join(':')
}
