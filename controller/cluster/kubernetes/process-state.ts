// Pods as the platform's processes (controller contract, section 5, Processes).

import type { Pod } from '#kube/workload-types.ts'
import type { Process, ProcessState } from '../cluster.ts'
import { oneOffType } from './marks.ts'

/** The processes among Pods, newest first: none that runs once, none that ended, none whose time to end is over. */
export function processesOf(pods: readonly Pod[], now: number): readonly Process[] {
  return pods
    .filter(pod => typeOf(pod) !== oneOffType && !isPastDeletion(pod, now))
    .map(pod => processOf(pod, now))
    .filter(({ state }) => state !== 'down' && state !== 'crashed')
    .sort((a, b) => b.started.getTime() - a.started.getTime() || (a.name < b.name ? -1 : 1))
}

export function processOf(pod: Pod, now: number): Process {
  const started = Date.parse(pod.status?.startTime ?? pod.metadata.creationTimestamp ?? '')
  return {
    name: pod.metadata.name,
    type: typeOf(pod),
    version: versionOf(pod) ?? 0,
    state: stateOf(pod),
    started: new Date(Number.isNaN(started) ? now : started),
  }
}

export function typeOf(pod: Pod): string {
  return pod.metadata.labels?.type ?? ''
}

/** Version of its release; null when it has no such label. */
export function versionOf({ metadata }: Pick<Pod, 'metadata'>): number | null {
  const [, digits] = /^v([0-9]{1,9})$/.exec(metadata.labels?.version ?? '') ?? []
  return digits === undefined ? null : Number(digits)
}

export function stateOf({ metadata, status }: Pod): ProcessState {
  const [container] = status?.containerStatuses ?? []
  switch (status?.phase) {
    case 'Succeeded':
      return 'down'
    case 'Failed':
      return 'crashed'
    case 'Running': {
      if (metadata.deletionTimestamp !== undefined) return 'terminating'
      if (container?.state?.running !== undefined) return container.ready ? 'up' : 'starting'
      return container?.state?.terminated === undefined ? 'error' : 'terminating'
    }
    case 'Pending': {
      if (metadata.deletionTimestamp !== undefined) return 'terminating'
      const reason = container?.state?.waiting?.reason
      if (reason === 'ContainerCreating') return 'creating'
      return reason ?? 'initializing'
    }
    case undefined:
      return 'initializing'
    default:
      return 'error'
  }
}

function isPastDeletion({ metadata }: Pod, now: number): boolean {
  return metadata.deletionTimestamp !== undefined && Date.parse(metadata.deletionTimestamp) < now
}
