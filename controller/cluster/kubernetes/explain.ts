// Asks the API server for what Pods themselves do not say: events about them, and their last words.

import { type KubeClient, resourcePath } from '#kube/client.ts'
import type { KubeEvent, Pod } from '#kube/workload-types.ts'
import { collectionPath } from './resources.ts'
import type { Trouble } from './trouble.ts'

const maxLines = 10
const maxOctets = 4096
/** There may be one for every failed probe. */
const maxEvents = 100

/** The trouble in words, with the last lines of a process that crashed. Never throws for want of them. */
export async function explain(
  client: KubeClient,
  namespace: string,
  { message, crashed }: Trouble,
  signal: AbortSignal,
): Promise<string> {
  if (crashed === null) return message
  const path = resourcePath({ apiVersion: 'v1', plural: 'pods', namespace, name: crashed.pod, subresource: 'log' })
  const query = { container: crashed.container, previous: true, tailLines: maxLines, limitBytes: maxOctets }
  const log = await client.text(path, maxOctets, { query, signal }).catch(() => '')
  return log.trim() === '' ? message : `${message}\n${log.trimEnd()}`
}

export async function eventsOf(
  client: KubeClient,
  { metadata: { namespace, name } }: Pod,
  signal: AbortSignal,
): Promise<readonly KubeEvent[]> {
  const query = { fieldSelector: `involvedObject.name=${name}`, limit: maxEvents }
  const { items } = await client.list<KubeEvent>(collectionPath('Event', namespace), { query, signal })
  return items
}
