// Metrics of a router in which nothing has happened, for tests to say what has.

import { Metrics, type MetricsSources } from '../metrics.ts'

export function quietMetrics(sources: Pick<MetricsSources, 'published'> & Partial<MetricsSources>): Metrics {
  return new Metrics({
    counters: () => [],
    restarts: () => 0,
    accessLogDropped: () => 0,
    logDropped: () => 0,
    problems: () => [],
    watches: () => [],
    servedSnapshot: () => null,
    snapshotSaved: () => null,
    now: () => 0,
    ...sources,
  })
}
