// Session tickets with several sets of keys: the first makes them, all read them, so that new keys end no session. Node's
// own interface takes one set and forgets the last; the hook beneath it (`onticketkeycallback`) lets us choose for each
// ticket, in the same format. A Node without the hook costs full handshakes after new keys, and nothing else.

import { hkdfSync, randomFillSync } from 'node:crypto'
import type { Server } from 'node:tls'
import { splitTicketKeys, ticketKeyLength } from '../model/ticket-keys.ts'

/** What the hook is to answer: what to do, two keys, and for a new ticket their name and the vector to encrypt with. */
type Answer = readonly [verdict: number, hmac: Buffer, aes: Buffer, name: Buffer, vector: Buffer]

/** What of a native context the hook takes. */
interface NativeContext {
  onticketkeycallback?: (name: Buffer, vector: Buffer, isNew: boolean) => Answer
  enableTicketKeyCallback?(): void
}

/** SSL_CTX_set_tlsext_ticket_key_evp_cb: no such key, a good ticket, a good one that is to be replaced. */
const verdicts = { unknown: 0, good: 1, renew: 2 } as const

interface TicketKeySet {
  readonly octets: Buffer
  readonly name: Buffer
  readonly hmac: Buffer
  readonly aes: Buffer
}

export class TicketKeyRing {
  #joined: Uint8Array
  #sets: readonly TicketKeySet[]
  readonly #vectors = new Vectors()
  readonly #answer = (name: Buffer, _vector: Buffer, isNew: boolean): Answer => {
    const sets = this.#sets
    const at = isNew ? 0 : sets.findIndex(set => set.name.equals(name))
    const { name: own, hmac, aes } = sets[Math.max(0, at)]!
    const verdict = at < 0 ? verdicts.unknown : at === 0 ? verdicts.good : verdicts.renew
    return [verdict, hmac, aes, own, isNew ? this.#vectors.next() : nothing]
  }

  /** Whole sets, as `model/ticket-keys.ts` has it. */
  constructor(joined: Uint8Array) {
    this.#joined = joined
    this.#sets = splitTicketKeys(joined).map(setOf)
  }

  /** The set that makes tickets, as Node takes it. */
  get first(): Buffer {
    return this.#sets[0]!.octets
  }

  /** From now on these count, in every server that `install` was called for too, once it is called again. */
  replace(joined: Uint8Array): void {
    this.#joined = joined
    this.#sets = splitTicketKeys(joined).map(setOf)
  }

  /** Rings of the same keys and `purpose` read each other's tickets, and nobody else's (RFC 5869). */
  derive(purpose: string): TicketKeyRing {
    const derived = splitTicketKeys(this.#joined).map(set => hkdfSync('sha256', set, '', purpose, ticketKeyLength))
    return new TicketKeyRing(Buffer.concat(derived.map(octets => Buffer.from(octets))))
  }

  /** To be called again after `setSecureContext`, which makes a context anew, and after `replace`. */
  install(server: Server): void {
    server.setTicketKeys(this.first)
    const context = contextOf(server)
    if (typeof context?.enableTicketKeyCallback !== 'function') return
    context.onticketkeycallback = this.#answer
    context.enableTicketKeyCallback()
  }
}

/** Random octets to encrypt with, each given out once; one by one they would cost 7 µs, twice in each handshake. */
class Vectors {
  readonly #pool = Buffer.alloc(256 * vectorLength)
  #at = this.#pool.length

  next(): Buffer {
    if (this.#at === this.#pool.length) {
      randomFillSync(this.#pool)
      this.#at = 0
    }
    const from = this.#at
    this.#at += vectorLength
    // The hook copies it before it is asked again.
    return this.#pool.subarray(from, this.#at)
  }
}

const vectorLength = 16
const nothing = Buffer.alloc(vectorLength)

function setOf(octets: Buffer): TicketKeySet {
  const [name, hmac, aes] = [0, 16, 32].map(at => octets.subarray(at, at + 16))
  return { octets, name: name!, hmac: hmac!, aes: aes! }
}

/** The native context of a server; null where this Node does not keep it. */
function contextOf(server: Server): NativeContext | null {
  const { _sharedCreds: shared } = server as unknown as { readonly _sharedCreds?: { readonly context?: NativeContext } }
  return shared?.context ?? null
}
