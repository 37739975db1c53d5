// What everything in a data thread shares: one of each per thread, so that no lock and no copy is needed.

import type { AddressSet } from '../model/cidr.ts'
import type { RouterSettings } from '../model/settings.ts'
import type { AccessLog } from './access-log.ts'
import type { ClockText } from './clock.ts'
import type { CodingRules } from './coding/rules.ts'
import type { Http2Shared } from './h2/shared.ts'
import type { HeadLimits } from './http/request-head.ts'
import type { Slab } from './http/slab.ts'
import type { RouteTable } from './table/route-table.ts'
import type { TimerWheel } from './timers.ts'

export interface ThreadContext {
  readonly counters: Float64Array
  /** Every socket of the thread reads into it; valid during the read callback only. */
  readonly readBuffer: Buffer
  readonly slab: Slab
  readonly timers: TimerWheel
  readonly clock: ClockText
  readonly http2: Http2Shared
  readonly accessLog: AccessLog
  /** A line in the router's own log; control bounds how many. */
  readonly log: (message: string, fields: Readonly<Record<string, string | number>>) => void
  /** In force now; each is replaced as a whole. */
  table: RouteTable
  settings: RouterSettings
  trusted: AddressSet
  limits: HeadLimits
  /** The whole field line of HSTS; empty: it is off. */
  hstsLine: string
  /** The whole field line that marks requests; empty: it is off. */
  hopLine: string
  coding: CodingRules
  /** The thread is about to stop: every answer closes its connection. */
  draining: boolean
}
