// Who is started, and from what: rivals read a configuration, the router reads a directory of manifests or watches an
// API server.

import { mkdirSync } from 'node:fs'
import { startApi } from '../change/cluster-api.ts'
import { haproxy } from '../proxy/subject/haproxy.ts'
import { nginx } from '../proxy/subject/nginx.ts'
import { router } from '../proxy/subject/router.ts'
import type { Serving, Work } from '../proxy/subject.ts'
import { type App, endpointSliceOf, routerDeployment, serviceOf } from '../support/manifests.ts'
import { startRouter } from '../support/router-process.ts'
import type { Workbench } from '../support/workbench.ts'

export interface Starter {
  readonly name: string
  absence(): string | null
  /** Resolves when it says that it is ready; `AsyncDisposable` is what it starts from and must outlive it. */
  start(bench: Workbench, work: Work): Promise<Serving & Partial<AsyncDisposable>>
}

export const starters: readonly Starter[] = [
  { name: 'router-api', absence: router.absence, start: startFromApi },
  { name: 'router-manifests', absence: router.absence, start: router.start },
  nginx,
  haproxy,
]

/** The API server is in this process, which does nothing else meanwhile. */
async function startFromApi(bench: Workbench, work: Work): Promise<Serving & AsyncDisposable> {
  const directory = bench.path(`api-${work.name}`)
  mkdirSync(directory)
  const api = await startApi('fake', directory)
  await api.apply(routerDeployment())
  for (const [index, host] of work.hosts.entries()) {
    const app: App = {
      name: `app-${index}`,
      hosts: [host],
      address: '127.0.0.1',
      port: work.backendPort,
      certificate: null,
    }
    await api.apply(serviceOf(app))
    await api.apply(endpointSliceOf(app))
  }
  const { running, httpPort } = await startRouter(bench, {
    routes: { kind: 'kubeconfig', file: api.kubeconfig },
    workers: work.workers,
    env: work.env ?? {},
  })
  return { running, port: httpPort, accessLog: running.stdout, [Symbol.asyncDispose]: () => api[Symbol.asyncDispose]() }
}
