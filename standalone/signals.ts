// Ctrl-C in a terminal reaches npm and us at once, and npm passes it on to us: one key, two signals. Only what comes later
// is a second one.

import type { ShutdownSignal, SignalTarget } from '#kit/shutdown.ts'

/** Milliseconds in which npm has passed it on, also on a busy machine; nobody is as impatient as that. */
const echo = 500

/** `target` without the echoes of its first signal. `now`: monotonic milliseconds. */
export function withoutEchoes(
  target: SignalTarget,
  now: () => number = performance.now.bind(performance),
): SignalTarget {
  const listeners = new Map<unknown, (signal: ShutdownSignal) => void>()
  let first: number | null = null
  return {
    on(signal, listener) {
      const heard =
        listeners.get(listener) ??
        ((which: ShutdownSignal): void => {
          if (first !== null && now() - first < echo) return
          first ??= now()
          listener(which)
        })
      listeners.set(listener, heard)
      target.on(signal, heard)
    },
    off(signal, listener) {
      const heard = listeners.get(listener)
      if (heard !== undefined) target.off(signal, heard)
    },
    exit: code => target.exit(code),
  }
}
