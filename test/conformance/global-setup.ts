// Builds what the suites need before the first of them starts, because it may take longer than any test may.

import { binary } from '#test/cluster/binaries.ts'
import { helm } from '#test/cluster/helm.ts'
import { ensurePackages } from '#test/cluster/machine.ts'
import { versitygw } from './versitygw.ts'

export async function setup(): Promise<void> {
  await ensurePackages(['etcd-server'])
  await binary('kube')
  await helm()
  await versitygw()
}
