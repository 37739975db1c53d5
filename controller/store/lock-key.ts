// PostgreSQL knows advisory locks by a number of 64 bits, which all programs on a database share.

import { createHash } from 'node:crypto'

export function lockKey(name: string): string {
  return createHash('sha256').update(`deis controller ${name}`).digest().readBigInt64BE(0).toString()
}
