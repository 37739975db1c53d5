// SIGTERM, SIGINT, and SIGHUP, which is a terminal that goes: the first one asks for an orderly end, the second one ends at once.

import { constants } from 'node:os'

const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const
export type ShutdownSignal = (typeof signals)[number]

/** The part of `process` that is needed here. */
export interface SignalTarget {
  on(signal: ShutdownSignal, listener: (signal: ShutdownSignal) => void): unknown
  off(signal: ShutdownSignal, listener: (signal: ShutdownSignal) => void): unknown
  exit(code: number): void
}

/**
 * Calls `graceful` on the first signal; a second signal of any kind exits with 128 plus its number, whatever
 * `graceful` is doing. Disposing takes the listeners away again.
 */
export function onShutdown(graceful: (signal: ShutdownSignal) => void, target: SignalTarget = process): Disposable {
  let asked = false
  const listener = (signal: ShutdownSignal): void => {
    if (asked) {
      target.exit(128 + constants.signals[signal])
      return
    }
    asked = true
    graceful(signal)
  }
  for (const signal of signals) target.on(signal, listener)
  return {
    [Symbol.dispose]() {
      for (const signal of signals) target.off(signal, listener)
    },
  }
}
