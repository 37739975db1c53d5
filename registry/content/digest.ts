// Digests of content: `sha256:` or `sha512:` with lower-case hexadecimal digits.

import { createHash } from 'node:crypto'
import type { Brand } from '#kit/brand.ts'

export type Digest = Brand<string, 'Digest'>

export type Algorithm = 'sha256' | 'sha512'

const form = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/

export function parseDigest(text: string): Digest | null {
  return form.test(text) ? (text as Digest) : null
}

export function parseAlgorithm(text: string): Algorithm | null {
  return text === 'sha256' || text === 'sha512' ? text : null
}

export function algorithmOf(digest: Digest): Algorithm {
  return digest.startsWith('sha256:') ? 'sha256' : 'sha512'
}

export function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length)
}

export function digestFrom(algorithm: Algorithm, hex: string): Digest {
  return `${algorithm}:${hex}` as Digest
}

export function digestOf(octets: Uint8Array, algorithm: Algorithm = 'sha256'): Digest {
  return digestFrom(algorithm, createHash(algorithm).update(octets).digest('hex'))
}
