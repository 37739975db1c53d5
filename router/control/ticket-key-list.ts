// The keys of session tickets (RFC 5077 section 4, RFC 8446 section 4.6.1) as a list: each from a moment on makes the new
// tickets, and reads those of its time until its follower is as old as any ticket can be. A follower is told of before
// its time comes, so that every replica knows it by then. Pure, but for chance.

import { randomBytes } from 'node:crypto'
import { ticketKeyLength } from '../model/ticket-keys.ts'

const hour = 3_600_000
const shortestLife = 12 * hour
/** The most that TLS 1.3 lets a ticket live (RFC 8446 section 4.6.1). */
const longestLife = 7 * 24 * hour
/** How long before its time a key is told of. */
export const lead = 5 * 60_000
const farAhead = hour
/** More entries than anybody writes; of a longer list the newest count. */
const mostKeys = 8

export interface TicketKey {
  /** From when on it makes tickets: milliseconds since the epoch, whole seconds. */
  readonly since: number
  /** `ticketKeyLength` octets. A secret. */
  readonly octets: Uint8Array
}

export interface TicketKeyReading {
  /** Oldest first. */
  readonly keys: readonly TicketKey[]
  /** What is wrong with the rest; never holds a value. */
  readonly faults: readonly string[]
}

/** How long keys make tickets when sessions may be resumed for `sessionTimeout`; milliseconds. */
export function lifeOfKeys(sessionTimeout: number): number {
  return Math.min(Math.max(shortestLife, sessionTimeout), longestLife)
}

/** Reads the data of a Secret: `since-SECONDS` each, base64. */
export function readTicketKeys(data: Readonly<Record<string, unknown>>): TicketKeyReading {
  const keys: TicketKey[] = []
  const faults: string[] = []
  for (const [name, value] of Object.entries(data)) {
    const seconds = /^since-([0-9]{1,11})$/.exec(name)?.[1]
    if (seconds === undefined) {
      faults.push('an entry is not called since-SECONDS')
      continue
    }
    const octets = typeof value === 'string' ? Buffer.from(value, 'base64') : Buffer.alloc(0)
    if (octets.length !== ticketKeyLength) faults.push(`"${name}" is no base64 of ${ticketKeyLength} octets`)
    // In a buffer of its own: what crosses to a thread takes the whole buffer along.
    else keys.push({ since: Number(seconds) * 1000, octets: new Uint8Array(octets) })
  }
  keys.sort((a, b) => a.since - b.since)
  if (keys.length > mostKeys) faults.push(`it holds ${keys.length} keys, of which the ${mostKeys} newest count`)
  return { keys: keys.slice(-mostKeys), faults: [...new Set(faults)] }
}

/** The data of a Secret with these keys. */
export function ticketKeyData(keys: readonly TicketKey[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    keys.map(({ since, octets }) => [`since-${since / 1000}`, Buffer.from(octets).toString('base64')]),
  )
}

/**
 * The key that makes tickets at `now`: the newest whose time has come. When there is none, as where the clock is slow, the
 * first to come. Undefined: the list is empty.
 */
export function currentTicketKey(keys: readonly TicketKey[], now: number): TicketKey | undefined {
  return keys.findLast(({ since }) => since <= now) ?? keys[0]
}

/** All keys in one, that which makes tickets first: what data threads are told. */
export function joinTicketKeys(keys: readonly TicketKey[], now: number): Uint8Array {
  const current = currentTicketKey(keys, now)
  const others = keys.filter(key => key !== current).reverse()
  const ordered = current === undefined ? [] : [current, ...others]
  const joined = new Uint8Array(ordered.length * ticketKeyLength)
  for (const [at, { octets }] of ordered.entries()) joined.set(octets, at * ticketKeyLength)
  return joined
}

/** Without those whose time is too far off: whoever made them had a clock that is fast, or ours is slow. */
export function credibleTicketKeys(keys: readonly TicketKey[], now: number): readonly TicketKey[] {
  return keys.filter(({ since }) => since <= now + farAhead)
}

/**
 * What the list is to be when each key is to make tickets for `life`; null: as it is. A first key counts at once, a
 * follower after `lead`. One that was followed a life ago reads no ticket that is still good, and is left out.
 */
export function nextTicketKeys(keys: readonly TicketKey[], now: number, life: number): readonly TicketKey[] | null {
  const newest = credibleTicketKeys(keys, now).at(-1)
  if (newest === undefined) return [newKey(now)]
  return now + lead < newest.since + life ? null : [newest, newKey(now + lead)]
}

function newKey(since: number): TicketKey {
  return { since: Math.floor(since / 1000) * 1000, octets: new Uint8Array(randomBytes(ticketKeyLength)) }
}
