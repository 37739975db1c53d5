// Reads along what a client pushes, and tells what is too much before git works on it: the number of refs, and the number
// of objects that the pack's first octets announce. What passes is not changed. Pure.

const longestCommand = 65_516
const packHeader = 12
/** Commits where a shallow clone ends: those of a branchy history have many, and none of them is built. */
const mostShallow = 100_000

export type PushFault = 'refs' | 'shallow' | 'objects' | 'garbled'

export class PushGuard {
  readonly #refs: number
  readonly #objects: number
  #state: 'commands' | 'pack' | 'through' = 'commands'
  #rest: Buffer = Buffer.alloc(0)
  #seen = 0
  #shallow = 0

  constructor(limits: { readonly refs: number; readonly objects: number }) {
    this.#refs = limits.refs
    this.#objects = limits.objects
  }

  /** Null: fine so far. */
  read(octets: Buffer): PushFault | null {
    if (this.#state === 'through') return null
    let buffer = this.#rest.length === 0 ? octets : Buffer.concat([this.#rest, octets])
    while (this.#state === 'commands') {
      if (buffer.length < 4) return this.#keep(buffer)
      const digits = buffer.toString('latin1', 0, 4)
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) return 'garbled'
      const length = Number.parseInt(digits, 16)
      if (length === 0) {
        buffer = buffer.subarray(4)
        this.#state = 'pack'
        break
      }
      if (length < 4 || length > longestCommand) return 'garbled'
      if (buffer.length < length) return this.#keep(buffer)
      if (buffer.toString('latin1', 4, 12) === 'shallow ') {
        if (++this.#shallow > mostShallow) return 'shallow'
      } else if (++this.#seen > this.#refs) return 'refs'
      buffer = buffer.subarray(length)
    }
    if (buffer.length < packHeader) return this.#keep(buffer)
    this.#rest = Buffer.alloc(0)
    this.#state = 'through'
    if (buffer.toString('latin1', 0, 4) !== 'PACK') return 'garbled'
    return buffer.readUInt32BE(8) > this.#objects ? 'objects' : null
  }

  #keep(buffer: Buffer): null {
    this.#rest = buffer
    return null
  }
}
