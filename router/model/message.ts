// The two directions between control (main thread) and a data thread.

import type { Socket } from 'node:net'
import type { SharedPatch } from './shared-certificates.ts'

/** The ports that clients come to. */
export type PortName = 'http' | 'https' | 'builder'

/** `workerData` of a data thread; null when it is started ahead, and gets this with `begin`. */
export interface DataThreadOptions {
  readonly index: number
  readonly address: string
  /** 0: the kernel chooses, and `listening` tells what. */
  readonly httpPort: number
  readonly httpsPort: number
  /** Null: closed, until `builder-port` says otherwise. */
  readonly builderPort: number | null
  /** Whether several threads listen on the same port (`SO_REUSEPORT`). False: control accepts and hands sockets over. */
  readonly reusePort: boolean
  /** Laid out by `counters.ts`; this thread is its only writer. */
  readonly counters: SharedArrayBuffer
  /** How many connections of clients may be open when the settings do not say: half of the thread's file descriptors. */
  readonly capacity: number
  /** What protects session tickets, as `ticket-keys.ts` has it, the same in all threads. A secret. */
  readonly ticketKeys: Uint8Array
  /** The world to start from, with `reset`. */
  readonly world: SharedPatch
}

/** The first message to a thread that was started ahead. */
export interface Begin {
  readonly kind: 'begin'
  readonly options: DataThreadOptions
}

export type ToData =
  | { readonly kind: 'patch'; readonly patch: SharedPatch }
  /** Accept no more; finish what is open; after `timeout` milliseconds cut what is left. Answered by `drained`. */
  | { readonly kind: 'drain'; readonly timeout: number }
  /** Only without `reusePort`: a connection that control accepted, transferred together with this message. */
  | { readonly kind: 'socket'; readonly port: PortName; readonly socket: Socket }
  /** Only with `reusePort`: listen for connections to the builder, or (null) no longer. Answered by `builder-port`. */
  | { readonly kind: 'builder-port'; readonly port: number | null }
  | { readonly kind: 'ticket-keys'; readonly keys: Uint8Array }
  | { readonly kind: 'capacity'; readonly connections: number }

export type FromData =
  | {
      readonly kind: 'listening'
      readonly httpPort: number
      readonly httpsPort: number
      /** Null: closed. */
      readonly builderPort: number | null
    }
  | { readonly kind: 'listen-failed'; readonly port: number; readonly code: string; readonly message: string }
  /** The builder's port is what it was asked to be; null: closed, or not to be had yet. */
  | { readonly kind: 'builder-port'; readonly port: number | null }
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
