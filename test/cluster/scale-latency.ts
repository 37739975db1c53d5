// How long the router takes to follow the pods of an app under load: to use one that became ready, to leave one that is
// going. Both count from when a watch of EndpointSlices like the router's own tells of it.

import { appName, appNamespace, type Installation, mergePatch, paths } from './installation.ts'
import { poll } from './poll.ts'
import type { SteadyLoad } from './steady-load.ts'

interface Slice {
  readonly endpoints?:
    | readonly {
        readonly conditions: { readonly ready: boolean }
        readonly targetRef?: { readonly name: string }
      }[]
    | null
}

interface SliceList {
  readonly metadata: { readonly resourceVersion: string }
  readonly items: readonly Slice[]
}

export interface ScaleTimes {
  /** From the news that a pod is ready to the end of its first answer, milliseconds, for each pod. */
  readonly joined: readonly number[]
  /** From the news that a pod is going to the start of the last request that it was given; 0 if that was before. */
  readonly left: readonly number[]
}

/** Scales the app to `to` pods and back again. The load must go to the app, and run while this does. */
export async function measureScaling(
  { api }: Installation,
  load: SteadyLoad,
  from: number,
  to: number,
): Promise<ScaleTimes> {
  const becameReady = new Map<string, number>()
  const left = new Map<string, number>()
  const ready = () => [...becameReady.keys()].filter(name => !left.has(name))
  const follow = ({ endpoints }: Slice) => {
    const now = performance.now()
    const names = (endpoints ?? []).flatMap(({ conditions, targetRef }) =>
      conditions.ready && targetRef ? [targetRef.name] : [],
    )
    for (const name of names) if (!becameReady.has(name)) becameReady.set(name, now)
    for (const name of ready()) if (!names.includes(name)) left.set(name, now)
  }
  const slices = `${paths.endpointSlices(appNamespace)}?labelSelector=kubernetes.io/service-name%3D${appName}`
  const list = await api.request<SliceList>('GET', slices)
  if (list.items.length !== 1)
    throw new Error(`${appName} has ${list.items.length} EndpointSlices; this counts with one`)
  follow(list.items[0]!)
  const before = new Set(ready())
  if (before.size !== from) throw new Error(`${appName} has ${before.size} ready pods, not ${from}`)

  let done = false
  const over = (async () => {
    const since = `&watch=1&resourceVersion=${list.metadata.resourceVersion}`
    for await (const { type, object } of api.client().watch<Slice>(slices + since)) {
      if (done) break
      if (type === 'ERROR') throw new Error(`the watch broke: ${JSON.stringify(object)}`)
      follow(object)
    }
    return new Promise<never>(() => {})
  })()
  // Only the next event, or the end of the cluster, ends it when nobody is interested any more.
  over.catch(() => {})
  const scale = (replicas: number) =>
    api.request('PATCH', `${paths.deployments(appNamespace)}/${appName}`, { spec: { replicas } }, mergePatch)
  const pods = (count: number) =>
    poll(`${count} ready pods of ${appName}`, 60, async () => (ready().length === count ? true : null), over)

  await scale(to)
  await pods(to)
  await load.more(500)
  await scale(from)
  await pods(from)
  await load.more(500)
  done = true

  const { answered } = load
  const joined = [...becameReady].filter(([name]) => !before.has(name))
  return {
    joined: joined.map(([name, since]) => {
      const first = answered.find(({ pod }) => pod === name)
      return first ? Math.max(0, first.sent + first.milliseconds - since) : Number.POSITIVE_INFINITY
    }),
    left: [...left].map(([name, since]) => {
      const last = answered.findLast(({ pod }) => pod === name)
      return last ? Math.max(0, last.sent - since) : 0
    }),
  }
}
