// What a build's Pod tells of how it goes: read from its status alone, in words for the pusher.

import { imageReasons, startReasons } from '#kube/container-reasons.ts'
import type { ContainerStatus, KubeEvent, Pod } from '#kube/workload-types.ts'
import { BuildError } from '../strategy.ts'

export type Outcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly error: BuildError; readonly exitCode: number | null }
  /** It has not begun yet; `reason` once there is something to say, `patience` for how long that may last. */
  | { readonly kind: 'waiting'; readonly reason: string | null; readonly patience: number }
  | { readonly kind: 'running' }

/** Milliseconds. A node may have to be made first; a registry may be away for a moment. */
export const patience = { start: 900_000, pull: 120_000, container: 60_000, pod: 60_000 } as const

const maxMessage = 1000
const hopeless = new Set(['InvalidImageName', 'ErrImageNeverPull'])

export function outcomeOf(pod: Pod): Outcome {
  const { phase, reason, message } = pod.status ?? {}
  if (phase === 'Succeeded') return { kind: 'done' }
  const inits = pod.status?.initContainerStatuses ?? []
  const statuses = [...inits, ...(pod.status?.containerStatuses ?? [])]
  if (phase === 'Failed') {
    if (reason === 'DeadlineExceeded') return failed('failed', 'The build took too long, and was ended.')
    if (reason === 'Evicted')
      return failed('failed', `The build was ended by its node: ${cut(message ?? 'it took too much of it')}`)
    const end = statuses.find(status => (status.state?.terminated?.exitCode ?? 0) !== 0)
    return end === undefined
      ? failed('lost', `The build was ended by the cluster: ${cut(message ?? reason ?? 'it does not say why')}`)
      : failureOf(end)
  }
  if (pod.metadata.deletionTimestamp !== undefined) return failed('lost', 'The build was removed from the cluster.')
  return waitingOf(pod, statuses)
}

/** A Pod that was never made: quota, admission, a service account that is missing. */
export function troubleOfJob(events: readonly KubeEvent[]): string | null {
  const event = events.findLast(({ reason, type }) => type === 'Warning' && reason === 'FailedCreate')
  return event === undefined ? null : cut(event.message ?? 'it cannot be made')
}

/** Whether its log can be had, and whether it will grow no more. */
export function containerPhase(pod: Pod, name: string): 'waiting' | 'running' | 'ended' {
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]
  const { state } = statuses.find(status => status.name === name) ?? {}
  if (state?.terminated !== undefined) return 'ended'
  return state?.running === undefined ? 'waiting' : 'running'
}

function waitingOf(pod: Pod, statuses: readonly ContainerStatus[]): Outcome {
  const scheduled = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled')
  if (scheduled?.status === 'False' && scheduled.reason === 'Unschedulable')
    return waiting(`No node takes the build yet: ${cut(scheduled.message ?? 'there is no room')}`, patience.start)
  if (statuses.some(({ state }) => state?.running !== undefined)) return { kind: 'running' }
  for (const { state, name } of statuses) {
    const { reason = '', message = '' } = state?.waiting ?? {}
    const image = imageOf(pod, name)
    if (imageReasons.has(reason)) {
      const text = `The image ${image} for builds cannot be fetched: ${cut(message || reason)}`
      return hopeless.has(reason) ? failed('lost', text) : waiting(text, patience.pull)
    }
    if (startReasons.has(reason))
      return waiting(`The build cannot be started: ${cut(message || reason)}`, patience.container)
  }
  return statuses.some(({ state }) => state?.terminated !== undefined)
    ? { kind: 'running' }
    : waiting(null, patience.start)
}

function failureOf({ state }: ContainerStatus): Outcome {
  const { exitCode, reason, message } = state!.terminated!
  if (reason === 'OOMKilled')
    return failed('failed', 'The build took more memory than a build may have, and was ended.', exitCode)
  if (reason === 'StartError' || reason === 'ContainerCannotRun')
    return failed('lost', `The build cannot be started: ${cut(message ?? reason)}`, exitCode)
  return failed('failed', `Build pod exited with code ${exitCode}, stopping build.`, exitCode)
}

function failed(kind: BuildError['kind'], message: string, exitCode: number | null = null): Outcome {
  return { kind: 'failed', error: new BuildError(kind, message), exitCode }
}

function waiting(reason: string | null, time: number): Outcome {
  return { kind: 'waiting', reason, patience: time }
}

function imageOf(pod: Pod, name: string): string {
  const { initContainers = [], containers = [] } = (pod.spec ?? {}) as {
    readonly initContainers?: readonly { readonly name: string; readonly image: string }[]
    readonly containers?: readonly { readonly name: string; readonly image: string }[]
  }
  return [...initContainers, ...containers].find(container => container.name === name)?.image ?? name
}

function cut(text: string): string {
  return text.length <= maxMessage ? text : `${text.slice(0, maxMessage)}…`
}
