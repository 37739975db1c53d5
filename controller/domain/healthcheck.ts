// Health checks of a config: how a change is merged, and what becomes of the variables that said it formerly (controller
// contract, section 5, Config).

import type { Probe, Probes } from './config.ts'
import { quoted } from './field.ts'
import { isRecord, type JsonMap } from './json-map.ts'
import { ProbeFault, type ProbeKind, parseProbe, probeKinds } from './probe.ts'
import { isProcessType, processTypeFault, routedPseudoType } from './process-type.ts'
import { Refusal } from './refusal.ts'

/** Process type → probe → what it shall be; null: removed. A null for the type: both. */
export type ProbeChanges = ReadonlyMap<string, ReadonlyMap<ProbeKind, Probe | null> | null>

/** Checks a change, and keeps of it what is known. Returns what is wrong with it instead when something is. */
export function parseProbeChanges(map: JsonMap): ProbeChanges | string {
  try {
    // Probes without a process type are those of the one that is routed to.
    const isBare = probeKinds.some(kind => map.has(kind))
    const types = isBare ? new Map([[routedPseudoType, Object.fromEntries(map)]]) : map
    return new Map([...types].map(([type, probes]) => [type, parseProbes(type, probes)]))
  } catch (error) {
    if (error instanceof ProbeFault) return error.message
    throw error
  }
}

function parseProbes(type: string, raw: unknown): ReadonlyMap<ProbeKind, Probe | null> | null {
  if (raw === null) return null
  if (type !== routedPseudoType && !isProcessType(type)) throw new ProbeFault(processTypeFault)
  if (!isRecord(raw)) throw new ProbeFault(`could not validate ${quoted(raw)}: it is not of type 'object'`)
  return new Map(
    Object.entries(raw).map(([key, value]) => {
      const kind = probeKinds.find(known => known === key)
      if (kind === undefined) throw new ProbeFault('Healthcheck keys must be either livenessProbe or readinessProbe')
      return [kind, value === null ? null : parseProbe(kind, value)]
    }),
  )
}

type Healthchecks = ReadonlyMap<string, Probes>

/** Merges probe by probe. A type whose last probe is removed stays, empty, unless the type itself is removed. */
export function mergeProbes(current: Healthchecks, changes: ProbeChanges): Healthchecks {
  const merged = new Map(current)
  for (const [type, change] of changes) {
    if (change === null) {
      if (!merged.delete(type)) throw absent(type)
      continue
    }
    const probes = new Map<ProbeKind, Probe>(
      probeKinds.flatMap(kind => {
        const probe = merged.get(type)?.[kind]
        return probe === undefined ? [] : [[kind, probe]]
      }),
    )
    for (const [kind, probe] of change) {
      if (probe !== null) probes.set(kind, probe)
      else if (!probes.delete(kind)) throw absent(type)
    }
    merged.set(type, Object.fromEntries(probes))
  }
  return merged
}

function absent(type: string): Refusal {
  return new Refusal('absent', `${type} does not exist under healthcheck`)
}

const formerPrefix = 'HEALTHCHECK_'

/**
 * Once `HEALTHCHECK_URL` is among the values, all variables of that prefix turn into probes. Liveness knows but one
 * threshold of success, whatever the variable says.
 */
export function moveFormerVariables(values: Map<string, string>, healthchecks: Healthchecks): Healthchecks {
  const path = values.get('HEALTHCHECK_URL')
  if (path === undefined) return healthchecks
  const number = (name: string, otherwise: number): number => Number(values.get(`${formerPrefix}${name}`) ?? otherwise)
  const liveness: Probe = {
    initialDelaySeconds: number('INITIAL_DELAY', 50),
    timeoutSeconds: number('TIMEOUT', 50),
    periodSeconds: number('PERIOD_SECONDS', 10),
    successThreshold: 1,
    failureThreshold: number('FAILURE_THRESHOLD', 3),
    httpGet: { path },
  }
  const readiness: Probe = { ...liveness, successThreshold: number('SUCCESS_THRESHOLD', 1) }
  for (const key of [...values.keys()]) if (key.startsWith(formerPrefix)) values.delete(key)
  return new Map(healthchecks).set(routedPseudoType, { livenessProbe: liveness, readinessProbe: readiness })
}
