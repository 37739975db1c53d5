// The two tables of HPACK (RFC 7541 section 2.3). Both keep the octets of their entries in one buffer and positions
// beside it: no object and no string for an entry.

/** What an entry counts beside its octets (RFC 7541 section 4.1). */
const entryOverhead = 32

/** Appendix A; the index of an entry is its place here, counted from 1. */
const staticEntries: readonly (readonly [name: string, value: string])[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  [':status', '200'],
  [':status', '204'],
  [':status', '206'],
  [':status', '304'],
  [':status', '400'],
  [':status', '404'],
  [':status', '500'],
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ['accept-language', ''],
  ['accept-ranges', ''],
  ['accept', ''],
  ['access-control-allow-origin', ''],
  ['age', ''],
  ['allow', ''],
  ['authorization', ''],
  ['cache-control', ''],
  ['content-disposition', ''],
  ['content-encoding', ''],
  ['content-language', ''],
  ['content-length', ''],
  ['content-location', ''],
  ['content-range', ''],
  ['content-type', ''],
  ['cookie', ''],
  ['date', ''],
  ['etag', ''],
  ['expect', ''],
  ['expires', ''],
  ['from', ''],
  ['host', ''],
  ['if-match', ''],
  ['if-modified-since', ''],
  ['if-none-match', ''],
  ['if-range', ''],
  ['if-unmodified-since', ''],
  ['last-modified', ''],
  ['link', ''],
  ['location', ''],
  ['max-forwards', ''],
  ['proxy-authenticate', ''],
  ['proxy-authorization', ''],
  ['range', ''],
  ['referer', ''],
  ['refresh', ''],
  ['retry-after', ''],
  ['server', ''],
  ['set-cookie', ''],
  ['strict-transport-security', ''],
  ['transfer-encoding', ''],
  ['user-agent', ''],
  ['vary', ''],
  ['via', ''],
  ['www-authenticate', ''],
]

/** Entries of the static table that the protocol itself writes. */
export const staticIndex = { authority: 1, methodGet: 2, methodPost: 3, path: 4, http: 6, https: 7, status: 8 } as const

export const staticCount = staticEntries.length

/** The static table: names and values by index, as octets of `octets`; a value begins where its name ends. */
export const staticTable = {
  octets: Buffer.from(staticEntries.flat().join(''), 'latin1'),
  nameStart: new Int32Array(staticCount + 1),
  nameEnd: new Int32Array(staticCount + 1),
  valueEnd: new Int32Array(staticCount + 1),
} as const

for (let index = 1, at = 0; index <= staticCount; index++) {
  const [name, value] = staticEntries[index - 1]!
  staticTable.nameStart[index] = at
  staticTable.nameEnd[index] = at += name.length
  staticTable.valueEnd[index] = at += value.length
}

const none = Buffer.alloc(0)
const noPositions = new Int32Array(0)
const firstOctets = 1024

/**
 * The dynamic table, first in, first out. Entries stand one behind the other in `octets`; when its end is reached, what
 * lives moves to the front, which costs each octet about one copy in its life. Memory comes with the first entry.
 */
export class DynamicTable {
  octets: Buffer = none
  /** By slot: where the name begins, where it ends and the value begins, where that ends. */
  nameStart: Int32Array = noPositions
  nameEnd: Int32Array = noPositions
  valueEnd: Int32Array = noPositions
  count = 0
  /** As section 4.1 counts it. */
  size = 0
  /** What `size` may become for now. */
  limit: number
  /** What `limit` may become. */
  readonly maximum: number
  readonly #slots: number
  /** Where the next entry's octets go. */
  #end = 0
  #newest = 0

  constructor(maximum: number) {
    this.maximum = maximum
    this.limit = maximum
    let slots = 1
    while (slots * entryOverhead < maximum) slots *= 2
    this.#slots = slots
  }

  /** The slot of the entry that is `age` younger ones away from the newest; `age` is below `count`. */
  slot(age: number): number {
    return (this.#newest - age) & (this.#slots - 1)
  }

  setLimit(limit: number): void {
    this.limit = limit
    this.#evict(limit)
  }

  /** True: it is the newest entry now. One that is larger than the table empties it (section 4.4). */
  add(
    nameSource: Buffer,
    nameStart: number,
    nameEnd: number,
    valueSource: Buffer,
    valueStart: number,
    valueEnd: number,
  ): boolean {
    const length = nameEnd - nameStart + valueEnd - valueStart
    const size = length + entryOverhead
    if (size > this.limit) {
      this.#evict(0)
      return false
    }
    this.#evict(this.limit - size)
    if (this.#end + length > this.octets.length) this.#makeRoom(length)
    if (this.nameStart.length === 0) {
      this.nameStart = new Int32Array(this.#slots)
      this.nameEnd = new Int32Array(this.#slots)
      this.valueEnd = new Int32Array(this.#slots)
    }
    this.#newest = (this.#newest + 1) & (this.#slots - 1)
    const slot = this.#newest
    this.nameStart[slot] = this.#end
    this.#end += copy(nameSource, nameStart, nameEnd, this.octets, this.#end)
    this.nameEnd[slot] = this.#end
    this.#end += copy(valueSource, valueStart, valueEnd, this.octets, this.#end)
    this.valueEnd[slot] = this.#end
    this.count++
    this.size += size
    return true
  }

  /** Lets the oldest entries go until `size` is `limit` at most. */
  #evict(limit: number): void {
    while (this.size > limit) {
      const oldest = this.slot(--this.count)
      this.size -= this.valueEnd[oldest]! - this.nameStart[oldest]! + entryOverhead
    }
  }

  /** Moves what lives to the front, of a larger buffer while twice the table is not reached. */
  #makeRoom(length: number): void {
    const from = this.count === 0 ? this.#end : this.nameStart[this.slot(this.count - 1)]!
    const living = this.#end - from
    let target = this.octets
    if (target.length < 2 * this.maximum) {
      let room = Math.max(firstOctets, target.length)
      while (room < 2 * (living + length)) room *= 2
      target = Buffer.allocUnsafeSlow(Math.min(room, 2 * this.maximum))
    }
    this.octets.copy(target, 0, from, this.#end)
    this.octets = target
    this.#end = living
    for (let age = 0; age < this.count; age++) {
      const slot = this.slot(age)
      this.nameStart[slot]! -= from
      this.nameEnd[slot]! -= from
      this.valueEnd[slot]! -= from
    }
  }
}

/** Returns how many octets it copied. A loop: fields are short, and a call of the runtime costs more than they do. */
export function copy(source: Buffer, start: number, end: number, target: Buffer, at: number): number {
  if (end - start > 64) return source.copy(target, at, start, end)
  for (let i = start; i < end; i++) target[at + i - start] = source[i]!
  return end - start
}
