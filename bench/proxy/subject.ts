// What a proxy must offer to be measured. One file in `subject/` for each.

import type { SelfSigned } from '#kit/self-signed.ts'
import type { Running, Workbench } from '../support/workbench.ts'
import type { Case } from './cases.ts'

/** The same for every proxy of a case. */
export interface Work {
  readonly name: string
  readonly scheme: Case['scheme']
  /** What clients will speak. */
  readonly protocol: Case['protocol']
  readonly pair: SelfSigned
  /** Every host goes to the backend; any other must not. */
  readonly hosts: readonly string[]
  /** Whether it compresses: gzip, level 5, JSON among the types, to whoever asks. */
  readonly compresses: boolean
  /** Bodies are large: proxies with a choice of buffers take large ones. */
  readonly bulk: boolean
  readonly backendPort: number
  /** Threads or processes that serve. */
  readonly workers: number
  /** Environment of the process, added to what every child has. */
  readonly env?: Readonly<Record<string, string>>
  /** The CPU that the proxy has for itself; null: no pinning. */
  readonly cpu: number | null
}

/** A proxy at work: access log on, upstream keep-alive, X-Forwarded-For, -Proto and -Port set. */
export interface Serving {
  readonly running: Running
  /** On 127.0.0.1, speaking the scheme of the work. */
  readonly port: number
  /** A file that grows; opened for appending, so that it can be cut to nothing between two measurements. */
  readonly accessLog: string
}

export interface Subject {
  readonly name: string
  /** What is measured, for the record. */
  version(): string
  /** Why this machine has none of it; null when it has. */
  absence(): string | null
  readonly canHttp2: boolean
  /** Whether it can be set up to compress as others do. */
  readonly canCompress: boolean
  /** Resolves when it serves. */
  start(bench: Workbench, work: Work): Promise<Serving>
}
