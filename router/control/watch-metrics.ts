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
  return [
    {
      name: 'watch_connected',
      type: 'gauge',
      help: 'Whether the watch is open; of Secrets, whether all are.',
      read: perResource(
        ({ connected }) => Number(connected),
        states => Number(states.every(({ connected }) => connected)),
      ),
    },
    {
      name: 'watch_synced',
      type: 'gauge',
      help: 'Whether the resource was read in full; of Secrets, whether all were.',
      read: perResource(
        ({ synced }) => Number(synced),
        states => Number(states.every(({ synced }) => synced)),
      ),
    },
    {
      name: 'watch_events_total',
      type: 'counter',
      help: 'Changes that watches told of.',
      read: perResource(
        ({ events }) => events,
        states => {
          secrets.count(states)
          return secrets.events
        },
      ),
    },
    {
      name: 'watch_relists_total',
      type: 'counter',
      help: 'Lists after the first.',
      read: perResource(
        ({ relists }) => relists,
        states => {
          secrets.count(states)
          return secrets.relists
        },
      ),
    },
    {
      name: 'watch_reconnects_total',
      type: 'counter',
      help: 'Watches after the first.',
      read: perResource(
        ({ reconnects }) => reconnects,
        states => {
          secrets.count(states)
          return secrets.reconnects
        },
      ),
    },
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
