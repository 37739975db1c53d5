// What is in force as metrics: how old it is, how much of it there is, and what of it is not in force.

import { counter } from '../model/counters.ts'
import { type Problem, problemCodes } from '../model/problem.ts'
import { type Metric, type Sample, single } from './metric.ts'
import type { Published } from './published.ts'
import type { ThreadCounters } from './thread-counters.ts'

/** What the numbers are read from. */
export interface ConfigurationSources {
  readonly published: Published
  readonly problems: () => readonly Problem[]
  /** When the snapshot that is served was written, milliseconds since the epoch; null: what is served is live. */
  readonly servedSnapshot: () => number | null
  /** When the snapshot was last written, in the same way; null: never. */
  readonly snapshotSaved: () => number | null
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

export function configurationMetrics(sources: ConfigurationSources, counters: ThreadCounters): readonly Metric[] {
  const { published, problems, servedSnapshot, snapshotSaved, now } = sources
  // A snapshot is as old as its writing, however lately it came into force.
  const appliedAt = (): number => servedSnapshot() ?? counters.extreme(counter.configAppliedAt, Math.max)
  const one = (name: string, help: string, read: () => number): Metric => single(name, 'gauge', help, read)
  return [
    one('config_version', 'Version of the configuration that every data thread has in force.', () =>
      counters.extreme(counter.configVersion, Math.min),
    ),
    one(
      'config_applied_timestamp_seconds',
      'When the last change came into force; of a snapshot, when it was written.',
      () => appliedAt() / 1000,
    ),
    one('config_age_seconds', 'Time since the last change came into force.', () =>
      appliedAt() === 0 ? 0 : Math.max(0, now() - appliedAt()) / 1000,
    ),
    one('snapshot_served', 'Whether the snapshot is served because the source is away.', () =>
      Number(servedSnapshot() !== null),
    ),
    one(
      'snapshot_saved_timestamp_seconds',
      'When the snapshot was last written; 0: not known.',
      () => (snapshotSaved() ?? 0) / 1000,
    ),
    one('routes', 'Routes in force.', () => counters.extreme(counter.routes, Math.max)),
    one('certificates', 'Certificates in force.', () => counters.extreme(counter.certificates, Math.max)),
    {
      name: 'certificate_expiry_timestamp_seconds',
      type: 'gauge',
      help: 'When a certificate expires.',
      read: () =>
        Array.from(published.certificates.values(), ({ id, notAfter }) => ({
          labels: { certificate: id },
          value: notAfter / 1000,
        })),
    },
    {
      name: 'problems',
      type: 'gauge',
      help: 'Things that somebody wrote and that are not in force; /problems names them.',
      read: () => countsOf(problems()),
    },
  ]
}

/** With those codes that nothing has. */
function countsOf(problems: readonly Problem[]): readonly Sample[] {
  const counts = new Map<string, number>(
    severities.flatMap(severity => problemCodes.map(code => [`${code} ${severity}`, 0])),
  )
  for (const { code, severity } of problems) {
    const key = `${code} ${severity}`
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return Array.from(counts, ([key, value]) => {
    const [code = '', severity = ''] = key.split(' ')
    return { labels: { code, severity }, value }
  })
}

const severities = ['error', 'warning'] as const
