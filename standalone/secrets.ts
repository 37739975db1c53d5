// What the services keep from everybody else: made on the first start, and kept in the data directory.

import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { exitCode, StartupError } from '#kit/exit.ts'
import { selfSign } from '#kit/self-signed.ts'
import { platformDomain } from './names.ts'

/** One that was given by hand may be lost with it: only its owner knows. */
const advice = 'put back what was in it, or remove it and a new one is made'

/** Days; what is trusted by hand should last. */
const certificateDays = 3650

export interface PlatformCertificate {
  /** PEM. */
  readonly chain: string
  /** PEM. Secret. */
  readonly key: string
}

export class Secrets {
  readonly #directory: string

  constructor(directory: string) {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    this.#directory = directory
  }

  /** By which the controller knows the builder. */
  builderKey(): string {
    return this.#keep('builder-key', () => `${randomBytes(32).toString('hex')}\n`).trim()
  }

  /** Directory of the keys that tokens for the registry are signed with and checked by. */
  get registryTokens(): string {
    return join(this.#directory, 'registry')
  }

  /** Directory of the keys by which people know the builder. */
  get hostKeys(): string {
    return join(this.#directory, 'ssh')
  }

  /** What a service says of a file of ours, with what to do about it; other errors as they are. */
  advised(error: unknown): unknown {
    if (!(error instanceof StartupError) || error.message.includes(advice)) return error
    if (!error.message.includes(join(this.#directory, '/'))) return error
    return new StartupError(error.exitCode, `${error.message}: ${advice}`, { cause: error })
  }

  /** Of all names of the platform domain, signed by nobody but itself. Throws StartupError 64 for what is none. */
  certificate(): PlatformCertificate {
    const name = 'platform.pem'
    const text = this.#keep(name, () => {
      const names = [`deis.${platformDomain}`, `*.${platformDomain}`, platformDomain]
      const { chain, key } = selfSign(names, certificateDays, Date.now())
      return `${key.trim()}\n${chain.trim()}\n`
    })
    const at = Math.max(0, text.indexOf('-----BEGIN CERTIFICATE-----'))
    const pair = { key: text.slice(0, at), chain: text.slice(at) }
    if (!isPair(pair))
      throw new StartupError(
        exitCode.usage,
        `${join(this.#directory, name)} does not hold a private key and then its certificate: ${advice}`,
      )
    return pair
  }

  /** One file for each, so that nothing is half there. */
  #keep(name: string, make: () => string): string {
    const file = join(this.#directory, name)
    try {
      const kept = readFileSync(file, 'utf8')
      if (kept.trim() !== '') return kept
      throw new StartupError(exitCode.usage, `${file} is empty: ${advice}`)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
    const text = make()
    writeFileSync(`${file}.draft`, text, { mode: 0o600 })
    renameSync(`${file}.draft`, file)
    return text
  }
}

function isPair({ key, chain }: PlatformCertificate): boolean {
  try {
    return new X509Certificate(chain).checkPrivateKey(createPrivateKey(key))
  } catch {
    return false
  }
}
