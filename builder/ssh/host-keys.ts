// The keys that clients know us by. They are files of a directory, named as in the Secret of the charts; where there are
// none, they are made at the first start and kept.

import { createPublicKey } from 'node:crypto'
import { link, open, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import ssh2, { type ParsedKey } from 'ssh2'
import { exitCode, StartupError } from '#kit/exit.ts'
import { makeDirectory } from '#kit/make-directory.ts'

/** `ssh-host-ed25519-key`; the Secret has `rsa` and `ecdsa`. */
const namePattern = /^ssh-host-[a-z0-9]+-key$/

/** Bits, of a key given by file: with fewer nobody connects any more. */
const leastRsa = 2048

const mostAttempts = 20

/** No ECDSA among those that we make: ed25519 is as widely understood, and nobody doubts its curve. */
const made = [
  { name: 'ssh-host-ed25519-key', type: 'ed25519', bits: null },
  { name: 'ssh-host-rsa-key', type: 'rsa', bits: 3072 },
] as const

/** Private keys as text, one for each type. Throws StartupError 64 for a file that is no key. */
export async function hostKeys(directory: string): Promise<readonly string[]> {
  let names = await namesIn(directory)
  if (names.length === 0) {
    await make(directory)
    names = await namesIn(directory)
  }
  const texts = await Promise.all(names.map(name => readFile(join(directory, name), 'utf8')))
  for (const [index, text] of texts.entries()) {
    const fault = faultOf(text)
    if (fault !== null) throw new StartupError(exitCode.usage, `${join(directory, names[index]!)} ${fault}`)
  }
  return texts
}

async function namesIn(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw new StartupError(exitCode.usage, `cannot read host keys: ${error.message}`)
  })
  return names.filter(name => namePattern.test(name)).sort()
}

function faultOf(text: string): string | null {
  const parsed = ssh2.utils.parseKey(text)
  if (parsed instanceof Error) return 'is no private key without a password'
  const key = parsed as ParsedKey
  if (!key.isPrivateKey()) return 'is no private key'
  if (key.type === 'ssh-dss') return 'is a key of a type that nobody accepts any more'
  if (key.type !== 'ssh-rsa') return null
  const bits = createPublicKey(key.getPublicPEM()).asymmetricKeyDetails?.modulusLength ?? 0
  return bits < leastRsa ? `has ${bits} bits: at least ${leastRsa} are needed` : null
}

async function make(directory: string): Promise<void> {
  try {
    makeDirectory(directory, 0o700)
    for (const { name, type, bits } of made) await keep(directory, name, await generate(type, bits))
  } catch (error) {
    throw new StartupError(exitCode.unavailable, `host keys cannot be kept: ${(error as Error).message}`)
  }
}

/** Now and then the library makes a key that it cannot read itself: kept, it would be the end of every start. */
async function generate(type: 'ed25519' | 'rsa', bits: number | null): Promise<string> {
  for (let attempt = 0; attempt < mostAttempts; attempt++) {
    const text = await generateOnce(type, bits)
    if (faultOf(text) === null) return text
  }
  throw new Error(`no key of type ${type} could be made`)
}

function generateOnce(type: 'ed25519' | 'rsa', bits: number | null): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const done = (error: Error | null, keys: { private: string }): void => {
    if (error) reject(error)
    else resolve(keys.private)
  }
  if (type === 'ed25519') ssh2.utils.generateKeyPair('ed25519', done)
  else ssh2.utils.generateKeyPair('rsa', { bits: bits! }, done)
  return promise
}

/** Whole or not at all; of two that start at once the first one's key counts. */
async function keep(directory: string, name: string, text: string): Promise<void> {
  const aside = join(directory, `.${name}.${process.pid}`)
  const file = await open(aside, 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await link(aside, join(directory, name)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  await rm(aside)
}
