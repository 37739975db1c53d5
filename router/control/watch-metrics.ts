// The watches as metrics. Secrets count as one resource: there may be thousands.

import type { WatchState } from '#kube/watch.ts'
import type { Metric, Sample } from './metric.ts'

export function watchMetrics(watches: () => readonly WatchState[]): readonly Metric[] {
  const secrets = new SecretTotals()
  const perResource =
    (read: (state: WatchState) => number, ofSecrets: (states: readonly WatchState[]) => number) =>
    (): readonly Sample[] => {
      const states = watches()
      return [
        ...states
          .filter(state => !isSecret(state))
          .map(state => ({ labels: { resource: state.resource }, value: read(state) })),
        { labels: { resource: 'secrets' }, value: ofSecrets(states.filter(isSecret)) },
      ]
    }
  const state = (name: string, help: string, key: 'connected' | 'synced'): Metric => ({
    ...{ name, help, type: 'gauge' },
    read: perResource(
      one => Number(one[key]),
      states => Number(states.every(one => one[key])),
    ),
  })
  const total = (name: string, help: string, key: 'events' | 'relists' | 'reconnects'): Metric => ({
    ...{ name, help, type: 'counter' },
    read: perResource(
      one => one[key],
      states => {
        secrets.count(states)
        return secrets[key]
      },
    ),
  })
  return [
    state('watch_connected', 'Whether the watch is open; of Secrets, whether all are.', 'connected'),
    state('watch_synced', 'Whether the resource was read in full; of Secrets, whether all were.', 'synced'),
    total('watch_events_total', 'Changes that watches told of.', 'events'),
    total('watch_relists_total', 'Lists after the first.', 'relists'),
    total('watch_reconnects_total', 'Watches after the first.', 'reconnects'),
  ]
}

/** Sums that do not fall when a Secret is no longer watched. */
class SecretTotals {
  events = 0
  relists = 0
  reconnects = 0
  readonly #last = new Map<string, WatchState>()

  count(states: readonly WatchState[]): void {
    const last = new Map(this.#last)
    this.#last.clear()
    for (const state of states) {
      const before = last.get(state.resource)
      this.#last.set(state.resource, state)
      this.events += growth(before?.events, state.events)
      this.relists += growth(before?.relists, state.relists)
      this.reconnects += growth(before?.reconnects, state.reconnects)
    }
  }
}

function isSecret({ resource }: WatchState): boolean {
  return resource.startsWith('secret ')
}

function growth(before: number | undefined, now: number): number {
  return before === undefined || now < before ? now : now - before
}
