// What a connection to an endpoint that did not come about means for the endpoint and for the counters.

import { counter } from '../../model/counters.ts'
import type { Member } from './member.ts'

/** Why we could not connect that is no fault of the endpoint. */
const ourOwnShortage: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL'])

/** Counts the failure, and holds it against the endpoint unless it was we who were short of something; `code` as in `onUpstreamGone`. */
export function noteConnectFailure(counters: Float64Array, member: Member, code: string): void {
  if (!ourOwnShortage.has(code)) member.upstream.unreachable(member)
  if (code === 'CONNECT_TIMEOUT') counters[counter.upstreamConnectTimeouts]!++
  else if (code === 'ECONNREFUSED') counters[counter.upstreamConnectRefused]!++
  else counters[counter.upstreamConnectErrors]!++
}
