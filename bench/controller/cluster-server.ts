// A Kubernetes in memory whose processes are up as soon as they are asked for: what a controller does for a deploy is
// measured, and not how long containers take. Writes its kubeconfig to the file given, and says `ready`.

import { FakeApi } from '#kube/fake.ts'

const [file] = process.argv.slice(2) as [string]
const api = await FakeApi.start()
api.apply({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'node' } })

const deployments = /^\/apis\/apps\/v1\/namespaces\/([^/]+)\/deployments\/([^/]+)$/

// In the place of the controllers of Kubernetes: they write into the status what the spec asks for.
api.onRequest = ({ method, path }) => {
  const match = deployments.exec(path)
  if (match === null || method !== 'PATCH') return
  const reference = { apiVersion: 'apps/v1', plural: 'deployments', namespace: match[1]!, name: match[2]! }
  // After the answer, as there.
  setImmediate(() => {
    const { spec } = api.get(reference) as { readonly spec?: { readonly replicas?: number } }
    const count = spec?.replicas ?? 1
    const status = { replicas: count, updatedReplicas: count, readyReplicas: count, availableReplicas: count }
    api.patch(reference, { status })
  })
}
await api.kubeconfig(file)
process.stdout.write('ready\n')
