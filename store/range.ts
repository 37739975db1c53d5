// Which octets of an object a reader gets.

import { Readable } from 'node:stream'
import type { Range } from './store.ts'

/** Throws RangeError for what is no range at all. */
export function checkRange({ start, end }: Range): void {
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start)
    throw new RangeError(`not a range: ${start} to ${end}`)
}

export function nothingToRead(): Readable {
  return new Readable({
    read() {
      this.push(null)
    },
  })
}
