// The two directions between control (main thread) and a data thread.

import type { Socket } from 'node:net'
import type { Patch } from './patch.ts'

/** `workerData` of a data thread. */
export interface DataThreadOptions {
  readonly index: number
  readonly address: string
  /** 0: the kernel chooses, and `listening` tells what. */
  readonly httpPort: number
  readonly httpsPort: number
  /** Whether several threads listen on the same port (`SO_REUSEPORT`). False: control accepts and hands sockets over. */
  readonly reusePort: boolean
  /** Laid out by `counters.ts`; this thread is its only writer. */
  readonly counters: SharedArrayBuffer
  /** The world to start from, with `reset`. */
  readonly world: Patch
}

export type ToData =
  | { readonly kind: 'patch'; readonly patch: Patch }
  /** Accept no more; finish what is open; after `timeout` milliseconds cut what is left. Answered by `drained`. */
  | { readonly kind: 'drain'; readonly timeout: number }
  /** Only without `reusePort`: a connection that control accepted, transferred together with this message. */
  | { readonly kind: 'socket'; readonly secure: boolean; readonly socket: Socket }

export type FromData =
  | { readonly kind: 'listening'; readonly httpPort: number; readonly httpsPort: number }
  | { readonly kind: 'listen-failed'; readonly port: number; readonly code: string; readonly message: string }
  /** The patch of this version is in force. */
  | { readonly kind: 'applied'; readonly version: number }
  | { readonly kind: 'drained'; readonly cut: number }
  /** Whole lines of the access log, transferred: one writer in the process keeps lines of several threads apart. */
  | { readonly kind: 'access-log'; readonly lines: Uint8Array<ArrayBuffer> }
  | {
      readonly kind: 'log'
      readonly level: 'debug' | 'info' | 'warn' | 'error'
      readonly message: string
      readonly fields: Readonly<Record<string, string | number>>
    }
