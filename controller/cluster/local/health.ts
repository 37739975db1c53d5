// Health checks of one run of a process: ready or not, and when it has to be started again. Without a readiness probe a
// process is ready once it has lived for a while.

import type { Clock } from '#kit/clock.ts'
import type { Probe, Probes } from '../../domain/config.ts'
import { duration } from './duration.ts'
import { type ProbeTarget, tryProbe } from './probe.ts'

export interface HealthOptions {
  readonly probes: Probes
  readonly target: ProbeTarget
  readonly clock: Clock
  /** How long a process without a readiness probe has to live before it counts as ready, milliseconds. */
  readonly settle: number
  /** `reason`: why it is not ready, a clause. */
  readonly onReady: (ready: boolean, reason: string) => void
  readonly onDead: (reason: string) => void
}

/**
 * Before the first success a probe is tried this often, milliseconds, if its own period is longer: starting should not
 * take long. A command costs more than a connection.
 */
const eager = { connection: 100, command: 500 } as const

/** Checks until `signal` aborts. Never rejects. */
export async function followHealth(options: HealthOptions, signal: AbortSignal): Promise<void> {
  await Promise.all([followReadiness(options, signal), followLiveness(options, signal)])
}

async function followReadiness(options: HealthOptions, signal: AbortSignal): Promise<void> {
  const { probes, clock, settle, onReady } = options
  const probe = probes.readinessProbe
  if (probe === undefined) {
    await clock.delay(settle, signal)
    if (!signal.aborted) onReady(true, '')
    return
  }
  let ready = false
  let row = 0
  for await (const fault of tries(probe, options, signal, () => !ready)) {
    const isSame = (fault === null) === ready
    row = isSame ? 0 : row + 1
    if (!ready && fault !== null) onReady(false, fault)
    if (isSame || row < (ready ? (probe.failureThreshold ?? 3) : (probe.successThreshold ?? 1))) continue
    ready = !ready
    row = 0
    onReady(ready, fault ?? '')
  }
}

async function followLiveness(options: HealthOptions, signal: AbortSignal): Promise<void> {
  const probe = options.probes.livenessProbe
  if (probe === undefined) return
  let failures = 0
  for await (const fault of tries(probe, options, signal, () => false)) {
    failures = fault === null ? 0 : failures + 1
    if (fault === null || failures < (probe.failureThreshold ?? 3)) continue
    options.onDead(fault)
    return
  }
}

async function* tries(
  probe: Probe,
  { target, clock }: HealthOptions,
  signal: AbortSignal,
  isEager: () => boolean,
): AsyncIterable<string | null> {
  const period = duration(Math.max(1, probe.periodSeconds ?? 10))
  await clock.delay(duration(probe.initialDelaySeconds ?? 0), signal)
  while (!signal.aborted) {
    const result = await tryProbe(probe, target, signal).catch(() => null)
    if (signal.aborted) return
    yield result
    await clock.delay(
      isEager() ? Math.min(probe.exec === undefined ? eager.connection : eager.command, period) : period,
      signal,
    )
  }
}
