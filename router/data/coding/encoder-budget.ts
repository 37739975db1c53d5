// Native memory of one thread's encoders, and who may have how much of it. Most bodies need an encoder for less than a
// millisecond; a slow download holds one for as long as it lasts, and whoever opens hundreds of them would take all there
// is. So a share shrinks as memory runs out: an app may hold three times what is still free for anybody, one client as much
// as is free (the dynamic thresholds of Choudhury and Hahne, for shared buffers of switches). Alone an app gets three
// quarters and a client half, two greedy clients a third each. Those who come one after the other leave less and less, so
// that some of it is only for apps and clients that hold nothing.
//
// All of it is additions to arrays that are there anyway. Clients share counts by a hash that nobody can foretell.

import { randomInt } from 'node:crypto'
import { maxApps } from '../../model/counters.ts'

/** Enough for some 490 encoders of gzip, 170 of zstd or 120 of brotli at the usual levels. */
const maxOctets = 48 * 1024 * 1024

/** Of that, what nobody may take who holds something. */
const reserve = 8 * 1024 * 1024

/** How much an app and a client may hold, as a multiple of what is free. */
const appShare = 3
const clientShare = 1

const clientPlaces = 4096

/** Of all encoders there are, at present. */
export const encodersInUse = { count: 0, octets: 0 }

const byApp = new Uint32Array(maxApps)
const byClient = new Uint32Array(clientPlaces)
const seed = randomInt(2 ** 32)

/**
 * Takes `octets` for an answer of the app with this row of the counters (`slot`) to the client at this place. False: nothing is
 * taken, for want of memory, or as others hold less.
 */
export function takeEncoderMemory(slot: number, place: number, octets: number): boolean {
  const free = maxOctets - encodersInUse.octets
  const ofApp = byApp[slot]!
  const ofClient = byClient[place]!
  if (octets > free) return false
  if (ofApp + ofClient > 0) {
    const spare = free - reserve
    if (ofApp + octets > appShare * spare || ofClient + octets > clientShare * spare) return false
  }
  encodersInUse.count++
  encodersInUse.octets += octets
  byApp[slot] = ofApp + octets
  byClient[place] = ofClient + octets
  return true
}

/** Gives back what was taken. */
export function giveEncoderMemory(slot: number, place: number, octets: number): void {
  encodersInUse.count--
  encodersInUse.octets -= octets
  byApp[slot]! -= octets
  byClient[place]! -= octets
}

/** Where the client of this address is counted: of IPv6 by its network (/64, or a wider one where the address has zeros). */
export function clientPlace(address: string): number {
  let hash = seed
  let colons = 0
  for (let i = 0; i < address.length; i++) {
    const code = address.charCodeAt(i)
    if (code === 0x3a && (++colons === 4 || address.charCodeAt(i + 1) === 0x3a)) break
    hash = Math.imul(hash ^ code, 0x01000193)
  }
  // The lower bits depend on the lower bits of what came before only.
  return ((hash >>> 16) ^ hash) & (clientPlaces - 1)
}
