// Our router, with one manifest file for each app, so one Service, one EndpointSlice and one upstream for each host.

import {
  appNamespace,
  certificateSecret,
  endpointSliceOf,
  platformSecret,
  routerDeployment,
  serviceOf,
  writeManifests,
} from '../../support/manifests.ts'
import { routerAbsence, startRouter } from '../../support/router-process.ts'
import type { Workbench } from '../../support/workbench.ts'
import type { Serving, Subject, Work } from '../subject.ts'

export const router: Subject = {
  name: 'router',
  version: () => 'this tree',
  absence: routerAbsence,
  canHttp2: true,
  canCompress: true,
  start,
}

async function start(bench: Workbench, work: Work): Promise<Serving> {
  const directory = bench.path(`manifests-${work.name}`)
  const apps = work.hosts.map((host, index) => ({
    name: `app-${String(index).padStart(4, '0')}`,
    hosts: [host],
    address: '127.0.0.1',
    port: work.backendPort,
    certificate: 'bench',
  }))
  writeManifests(directory, [
    [
      routerDeployment({ 'gzip.enabled': String(work.compresses) }),
      platformSecret(work.pair),
      certificateSecret(appNamespace, 'bench', work.pair),
    ],
    ...apps.map(app => [serviceOf(app), endpointSliceOf(app)]),
  ])
  const { running, httpPort, httpsPort } = await startRouter(bench, {
    routes: { kind: 'manifests', directory },
    workers: work.workers,
    env: work.env ?? {},
    cpu: work.cpu,
  })
  return { running, port: work.scheme === 'https' ? httpsPort : httpPort, accessLog: running.stdout }
}
