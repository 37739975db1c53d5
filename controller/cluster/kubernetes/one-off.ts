// Runs one Pod to its end, and removes it whatever happens.

import type { Clock } from '#kit/clock.ts'
import { type KubeClient, resourcePath } from '#kube/client.ts'
import type { KubeObject } from '#kube/types.ts'
import type { Pod } from '#kube/workload-types.ts'
import { ClusterError, type RunResult } from '../cluster.ts'
import { maxOutput, runOutput } from '../run-output.ts'
import { unlessMissing } from './refusals.ts'
import { collectionPath, pathOf } from './resources.ts'
import { troubleOfPod } from './trouble.ts'
import { settle, type Verdict, View } from './view.ts'

/** Octets that are asked for: more than are kept, by which it is seen that there was more, whatever character is cut in two. */
const asked = maxOutput + 4
/** For troubles that may pass. */
const patience = 10_000

export interface OneOffOptions {
  readonly client: KubeClient
  readonly clock: Clock
  /** Milliseconds. */
  readonly limit: number
  readonly signal: AbortSignal
}

export async function runToEnd(pod: Pod, options: OneOffOptions): Promise<RunResult> {
  const { client, clock, signal } = options
  const { name, namespace } = pod.metadata
  if (namespace === undefined) throw new TypeError('a Pod has a namespace')
  try {
    await client.create(collectionPath('Pod', namespace), pod, { signal })
    await using view = new View<Pod>({ client, kind: 'Pod', namespace, fieldSelector: `metadata.name=${name}` })
    const judge = judgement(view, name, clock.now() + options.limit)
    const exitCode = await settle([view] as readonly View<KubeObject>[], { clock, signal }, judge)
    const log = resourcePath({ apiVersion: 'v1', plural: 'pods', namespace, name, subresource: 'log' })
    const output = await client.text(log, asked, { query: { limitBytes: asked }, signal })
    return { exitCode, ...runOutput(Buffer.from(output)) }
  } catch (error) {
    if (signal.aborted) throw error
    throw error instanceof ClusterError ? new ClusterError(error.kind, `${name} (run): ${error.message}`) : error
  } finally {
    // Also when nobody waits for it any more: so without their signal.
    await unlessMissing(client.delete(pathOf(pod))).catch(() => {})
  }
}

/** Says with which code it ended. */
function judgement(view: View<Pod>, name: string, deadline: number): (now: number) => Verdict<number> {
  let troubledSince: number | null = null
  return now => {
    const pod = view.objects.get(name)
    if (pod === undefined) throw new ClusterError('failed', 'it was removed before it ended')
    const { phase, reason, message, containerStatuses = [] } = pod.status ?? {}
    const end = containerStatuses[0]?.state?.terminated
    if (phase === 'Failed' || phase === 'Succeeded') {
      if (reason === 'DeadlineExceeded') throw outOfTime()
      if (end === undefined) throw new ClusterError('failed', message ?? reason ?? 'it was ended by the cluster')
      if (end.reason === 'StartError' || end.reason === 'ContainerCannotRun') {
        throw new ClusterError('failed', end.message ?? 'it cannot be started')
      }
      return { kind: 'done', value: end.exitCode }
    }
    if (now >= deadline) throw outOfTime()
    const trouble = troubleOfPod(pod)
    if (trouble === null || trouble.passes === 'late') {
      troubledSince = null
      return { kind: 'wait', until: deadline }
    }
    troubledSince ??= now
    if (trouble.passes === 'never' || now - troubledSince >= patience) throw new ClusterError('failed', trouble.message)
    return { kind: 'wait', until: Math.min(deadline, troubledSince + patience) }
  }
}

function outOfTime(): ClusterError {
  return new ClusterError('failed', 'it did not end in time')
}
