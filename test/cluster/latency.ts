// How fast the installed router follows a cluster while 500 requests per second go through it, and what they lose. Of
// the suite and of the bench.

import { type ChangeTimes, measureChanges } from './change-latency.ts'
import {
  appHost,
  appName,
  appNamespace,
  type Installation,
  mergePatch,
  paths,
  type RouterPorts,
} from './installation.ts'
import { measureScaling } from './scale-latency.ts'
import { type LoadReport, SteadyLoad } from './steady-load.ts'

export const requestsPerSecond = 500

export interface Latency {
  readonly times: readonly ChangeTimes[]
  /** Of the requests meanwhile. */
  readonly scaling: LoadReport
  readonly changes: LoadReport
}

/** `changes` of each kind, and the app `scalings` times from one pod to five and back. Leaves the app with two pods. */
export async function measureLatency(
  installation: Installation,
  ports: RouterPorts,
  { changes, scalings }: { readonly changes: number; readonly scalings: number },
): Promise<Latency> {
  const joined: number[] = []
  const left: number[] = []
  const scaling = await withLoad(ports, async load => {
    for (let turn = 0; turn < scalings; turn++) {
      const times = await measureScaling(installation, load, 1, 5)
      joined.push(...times.joined)
      left.push(...times.left)
    }
  })
  const { api } = installation
  const deployment = `${paths.deployments(appNamespace)}/${appName}`
  await api.request('PATCH', deployment, { spec: { replicas: 2 } }, mergePatch)
  await installation.rolledOut(appNamespace, appName)
  const measured: ChangeTimes[] = []
  const changing = await withLoad(ports, async () => {
    measured.push(...(await measureChanges(installation, ports, changes)))
  })
  const times = [
    ...measured,
    { change: 'pod of an app ready', goal: 50, milliseconds: joined },
    { change: 'pod of an app going', goal: 50, milliseconds: left },
  ]
  return { times, scaling, changes: changing }
}

async function withLoad({ http }: RouterPorts, work: (load: SteadyLoad) => Promise<void>): Promise<LoadReport> {
  const load = new SteadyLoad(http, appHost, requestsPerSecond)
  try {
    await work(load)
  } catch (error) {
    await load.stop()
    throw error
  }
  return load.stop()
}
