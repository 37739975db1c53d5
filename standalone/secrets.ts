// What the services keep from everybody else: made on the first start, and kept in the data directory.

import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { exitCode, StartupError } from '#kit/exit.ts'
import { selfSign } from '#kit/self-signed.ts'
import { platformDomain } from './names.ts'

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

  /** Of all names of the platform domain, signed by nobody but itself. */
  certificate(): PlatformCertificate {
    const text = this.#keep('platform.pem', () => {
      const names = [`deis.${platformDomain}`, `*.${platformDomain}`, platformDomain]
      const { chain, key } = selfSign(names, certificateDays, Date.now())
      return `${key.trim()}\n${chain.trim()}\n`
    })
    const at = text.indexOf('-----BEGIN CERTIFICATE-----')
    return { key: text.slice(0, at), chain: text.slice(at) }
  }

  /** One file for each, so that nothing is half there. */
  #keep(name: string, make: () => string): string {
    const file = join(this.#directory, name)
    try {
      const kept = readFileSync(file, 'utf8')
      if (kept.trim() !== '') return kept
      throw new StartupError(
        exitCode.usage,
        `${file} is empty: put back what was in it, or remove it and a new one is made`,
      )
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
    const text = make()
    writeFileSync(`${file}.draft`, text, { mode: 0o600 })
    renameSync(`${file}.draft`, file)
    return text
  }
}
