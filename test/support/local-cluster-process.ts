// A controller to be killed: opens a local cluster on the directory given, deploys an app whose DesiredApp comes as JSON,
// says `up`, and lives on. With `shared` as another argument, images are for reading only.

import { LocalCluster } from '#controller/cluster/local/local.ts'
import { desired, options, sharedImages } from './local-stage.ts'

const [directory, parts, kind] = process.argv.slice(2) as [string, string, string | undefined]
const cluster = await LocalCluster.open({
  state: `${directory}/state`,
  manifests: `${directory}/manifests`,
  logs: { line: () => {} },
  onFault: error => process.stderr.write(`${error.stack}\n`),
  times: { settle: 50, handover: 0 },
  ...(kind === 'shared' ? { images: sharedImages } : {}),
})
process.stdout.write(`left over: ${cluster.leftOvers.length}\n`)
await cluster.deploy(desired(JSON.parse(parts)), options())
process.stdout.write('up\n')
