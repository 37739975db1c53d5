// Ranges of blobs (RFC 9110 section 14). One range is served; who asks for several gets everything, which is allowed.

import type { Range } from '#store/store.ts'

/** Null: everything. `unsatisfiable`: there is nothing of it. */
export function rangeOf(field: string | null, size: number): Range | 'unsatisfiable' | null {
  const match = /^bytes=\s*(\d{0,15})-(\d{0,15})\s*$/.exec(field ?? '')
  if (match === null) return null
  const [first, last] = [match[1]!, match[2]!]
  if (first === '') {
    if (last === '') return null
    const count = Number(last)
    return count === 0 || size === 0 ? 'unsatisfiable' : { start: Math.max(0, size - count), end: size }
  }
  const start = Number(first)
  if (last !== '' && Number(last) < start) return null
  if (start >= size) return 'unsatisfiable'
  return { start, end: last === '' ? size : Math.min(size, Number(last) + 1) }
}

/** Of a chunk (distribution specification, "Pushing a blob in chunks"): `0-99`, or as Docker once had it `bytes 0-99/200`. */
export function chunkOf(field: string): Range | null {
  const match = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/(?:\d{1,15}|\*))?$/.exec(field.trim())
  if (match === null) return null
  const [start, last] = [Number(match[1]), Number(match[2])]
  return last < start ? null : { start, end: last + 1 }
}
