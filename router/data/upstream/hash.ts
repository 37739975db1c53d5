// Hashes that decide where requests go. They are the same in all data threads and replicas, and no secret.

import { createHash } from 'node:crypto'

/** FNV-1a, 32 bits. Characters beyond one octet count by their lower one: keys are octets of requests. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ (text.charCodeAt(i) & 0xff), 0x01000193)
  return hash >>> 0
}

/** Of two hashes one, every bit of which depends on all of theirs (the finalizer of MurmurHash3). */
export function mix(a: number, b: number): number {
  let hash = a ^ Math.imul(b, 0x9e3779b1)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** What a cookie calls an endpoint: nobody reads the address in it, nor that two apps have it in common. */
export function opaqueName(upstream: string, endpoint: string): string {
  return createHash('sha256').update(`${upstream}\n${endpoint}`).digest('base64url').slice(0, 16)
}
