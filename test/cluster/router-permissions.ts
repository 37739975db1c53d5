// What the chart lets the router do, without anything else of the chart: for a router beside the cluster.

import { run } from './command.ts'
import { helm } from './helm.ts'

/** Manifests for the namespace `deis`: service account, roles, Lease and Secret of ticket keys. */
export async function routerPermissions(): Promise<string> {
  const chart = new URL('../../charts/router', import.meta.url).pathname
  const templates = ['serviceaccount', 'rbac', 'lease', 'ticket-keys'].flatMap(name => [
    '--show-only',
    `templates/${name}.yaml`,
  ])
  return run(await helm(), ['template', 'router', chart, '--namespace', 'deis', ...templates])
}
