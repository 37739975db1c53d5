// Deletes pods at random, round after round, as drained nodes and impatient people do.

import { isLasting, isWell, namespace, type PodObject, type Workflow } from './workflow.ts'

const podsPerRound = 2

/**
 * Deletes pods of the platform, and of apps that have more than one, for as long as `meanwhile` takes and for `rounds` at
 * least. A round takes pods of different workloads and ends when the platform is whole again, so that of what has replicas one
 * stays. Gives the names of the pods; rejects if `meanwhile` does.
 */
export async function killingPods(
  workflow: Workflow,
  apps: readonly string[],
  rounds: number,
  meanwhile: () => Promise<void>,
): Promise<readonly string[]> {
  const killed: string[] = []
  let isOver = false
  let hasFailed = false
  const over = meanwhile().then(
    () => {
      isOver = true
    },
    (error: unknown) => {
      hasFailed = true
      throw error
    },
  )
  over.catch(() => {})
  for (let round = 0; !hasFailed && !(isOver && round >= rounds); round++) {
    const lists = await Promise.all([namespace, ...apps].map(of => workflow.pods(of)))
    const chosen = candidates(lists.flat())
      .slice(0, podsPerRound)
      .map(({ metadata }) => metadata)
    await Promise.all(
      chosen.map(pod => workflow.api.request('DELETE', `/api/v1/namespaces/${pod.namespace}/pods/${pod.name}`)),
    )
    killed.push(...chosen.map(({ name }) => name))
    await workflow.ready()
  }
  await over
  return killed
}

/** One of each workload, in no order. */
function candidates(pods: readonly PodObject[]): readonly PodObject[] {
  const well = shuffled(
    pods.filter(isLasting).filter(pod => isWell(pod) && pod.metadata.deletionTimestamp === undefined),
  )
  const groups = Map.groupBy(well, ({ metadata }) => `${metadata.namespace}/${metadata.labels?.app ?? ''}`)
  return [...groups.values()]
    .filter(group => group[0]!.metadata.namespace === namespace || group.length > 1)
    .map(group => group[0]!)
}

function shuffled<T>(items: readonly T[]): readonly T[] {
  return items
    .map(item => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item)
}
