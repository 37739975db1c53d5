// From a Secret to the authorities that sign the certificates of an app's clients, or to the reason why there are none.

import { createHash, X509Certificate } from 'node:crypto'
import type { Authorities, AuthoritiesId } from '../model/authorities.ts'
import { longestAuthorities, mostAuthorities } from './bounds.ts'
import { certificateBlocks, textOf, Unreadable } from './secret-text.ts'

export type AuthoritiesReading =
  | { readonly kind: 'whole'; readonly authorities: Authorities }
  /** `reason` completes a sentence about the Secret. */
  | { readonly kind: 'broken'; readonly reason: string }

const key = 'ca.crt'

/** Reads `ca.crt` of a Secret of whatever type: certificates in PEM, of which one that is broken spoils them all. */
export function readAuthorities(secret: unknown): AuthoritiesReading {
  try {
    return { kind: 'whole', authorities: read(textOf(secret, key)) }
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    return { kind: 'broken', reason: error.message }
  }
}

function read(pem: string): Authorities {
  if (pem.length > longestAuthorities) throw new Unreadable(`"${key}" is longer than ${longestAuthorities} characters`)
  const blocks = certificateBlocks(pem, key)
  if (blocks.length > mostAuthorities)
    throw new Unreadable(`"${key}" holds ${blocks.length} certificates, more than ${mostAuthorities}`)
  const digests = blocks.map((block, index) => digestOf(block, index))
  // The same ones in another order are the same.
  const id = createHash('sha256')
    .update([...new Set(digests)].sort().join())
    .digest('hex') as AuthoritiesId
  return Object.freeze({ id, chain: blocks.join('') })
}

function digestOf(block: string, index: number): string {
  try {
    return createHash('sha256').update(new X509Certificate(block).raw).digest('hex')
  } catch {
    throw new Unreadable(`certificate ${index + 1} in "${key}" does not parse`)
  }
}
