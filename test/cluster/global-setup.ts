// Builds and installs what the suites need before the first of them starts, because it may take longer than any test may.

import { versitygw } from '#test/conformance/versitygw.ts'
import { binary } from './binaries.ts'
import { helm } from './helm.ts'
import { ownImageArchive } from './images.ts'
import { kubeRouter, kubeRouterPackages } from './kube-router.ts'
import { ensurePackages, isRoot } from './machine.ts'
import { nodePackages } from './node.ts'
import { workflowArchives } from './workflow.ts'

export async function setup(): Promise<void> {
  await ensurePackages(['etcd-server', ...(isRoot ? [...nodePackages, ...kubeRouterPackages] : [])])
  await binary('kube')
  await helm()
  await versitygw()
  if (!isRoot) return
  await binary('dns')
  await kubeRouter()
  await ownImageArchive('pause')
  await ownImageArchive('echo')
  await workflowArchives()
}
