// Why processes do not come up, read from their Pods and Deployments, in words for who deploys them.

import { imageReasons, startReasons } from '#kube/container-reasons.ts'
import type { AppDeployment, Container, ContainerStatus, KubeEvent, Pod } from '#kube/workload-types.ts'

export interface Trouble {
  /**
   * How long it may pass by itself: `never` does not, `soon` is given a few seconds (room that former processes are
   * about to leave), `late` all the time there is.
   */
  readonly passes: 'never' | 'soon' | 'late'
  readonly message: string
  /** Its last lines of log say more. */
  readonly crashed: { readonly pod: string; readonly container: string } | null
}

const maxMessage = 1000
const noSuchImage = /not found|manifest unknown|does not exist|not present|access denied/i

export function troubleOfPod(pod: Pod): Trouble | null {
  const [container] = pod.spec?.containers ?? []
  const [status] = pod.status?.containerStatuses ?? []
  if (container === undefined || pod.metadata.deletionTimestamp !== undefined) return null
  return (
    troubleOfSchedule(pod) ??
    (status === undefined ? null : (troubleOfStart(container, status) ?? troubleOfCrash(pod, status)))
  )
}

/** Pods that cannot be made at all, because of a quota or of what the cluster does not admit. */
export function troubleOfDeployment({ status }: AppDeployment): Trouble | null {
  const failure = status?.conditions?.find(({ type, status }) => type === 'ReplicaFailure' && status === 'True')
  if (failure === undefined) return null
  return { passes: 'soon', message: cut(failure.message ?? 'processes cannot be made'), crashed: null }
}

/** A Pod that is not ready, for no reason that shows in itself: the last complaint about it. */
export function troubleOfEvents(pod: Pod, events: readonly KubeEvent[]): Trouble {
  const warnings = events.filter(({ type }) => type === 'Warning').sort((a, b) => timeOf(a) - timeOf(b))
  const last = warnings.findLast(({ reason }) => reason === 'Unhealthy') ?? warnings.at(-1)
  const [status] = pod.status?.containerStatuses ?? []
  const own = status?.state?.waiting?.message ?? status?.state?.waiting?.reason
  const message = last?.message ?? own ?? 'it runs, but is not ready'
  return { passes: 'late', message: `${pod.metadata.name}: ${cut(message)}`, crashed: null }
}

/** The image is on its way, and nothing else is wrong. */
export function isPulling(events: readonly KubeEvent[]): boolean {
  const steps = events.filter(({ reason = '' }) => ['Pulling', 'Pulled', 'Failed', 'BackOff'].includes(reason))
  return steps.sort((a, b) => timeOf(a) - timeOf(b)).at(-1)?.reason === 'Pulling'
}

/** It waits for its container: the time in which images are pulled. */
export function isCreating({ status }: Pod): boolean {
  return status?.phase === 'Pending' && status.containerStatuses?.[0]?.state?.waiting?.reason === 'ContainerCreating'
}

function troubleOfSchedule({ status }: Pod): Trouble | null {
  const condition = status?.conditions?.find(({ type }) => type === 'PodScheduled')
  if (condition?.status !== 'False' || condition.reason !== 'Unschedulable') return null
  return { passes: 'soon', message: cut(condition.message ?? 'no node takes it'), crashed: null }
}

function troubleOfStart(container: Container, { state }: ContainerStatus): Trouble | null {
  const { reason = '', message = '' } = state?.waiting ?? {}
  if (imageReasons.has(reason)) {
    const isMissing = reason === 'ErrImageNeverPull' || noSuchImage.test(message)
    const cause = message === '' ? reason : message
    return {
      // One failure to fetch it may be the network's.
      passes: isMissing || reason !== 'ErrImagePull' ? 'never' : 'late',
      message: isMissing
        ? `image ${container.image} not found`
        : `image ${container.image} cannot be fetched: ${cut(cause)}`,
      crashed: null,
    }
  }
  if (startReasons.has(reason)) {
    // A Secret that was made a moment ago may not have reached the node.
    const passes = reason === 'CreateContainerConfigError' ? 'soon' : 'late'
    return { passes, message: `the process cannot be started: ${cut(message || reason)}`, crashed: null }
  }
  return null
}

/** Once is an accident, twice a habit. */
function troubleOfCrash(pod: Pod, { name, state, lastState, restartCount = 0 }: ContainerStatus): Trouble | null {
  if (state?.waiting?.reason !== 'CrashLoopBackOff' || restartCount < 1) return null
  const end = lastState?.terminated
  const code = end === undefined ? '' : ` with exit code ${end.exitCode}`
  const reason = end?.reason === undefined || end.reason === 'Error' ? '' : ` (${end.reason})`
  const message = end?.message ? `: ${cut(end.message.trim())}` : ''
  return {
    passes: 'never',
    message: `the process crashes${code}${reason}${message}`,
    crashed: { pod: pod.metadata.name, container: name },
  }
}

function timeOf({ lastTimestamp, eventTime, metadata }: KubeEvent): number {
  return Date.parse(lastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? '') || 0
}

function cut(text: string): string {
  return text.length <= maxMessage ? text : `${text.slice(0, maxMessage)}…`
}
