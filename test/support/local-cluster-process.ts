// A controller to be killed: opens a local cluster on the directory given, deploys an app whose DesiredApp comes as JSON,
// says `up`, and lives on.

import { LocalCluster } from '#controller/cluster/local/local.ts'
import { desired, options } from './local-stage.ts'

const [directory, parts] = process.argv.slice(2) as [string, string]
const cluster = await LocalCluster.open({
  state: `${directory}/state`,
  manifests: `${directory}/manifests`,
  logs: { line: () => {} },
  onFault: error => process.stderr.write(`${error.stack}\n`),
  times: { settle: 50, handover: 0 },
})
process.stdout.write(`left over: ${cluster.leftOvers.length}\n`)
await cluster.deploy(desired(JSON.parse(parts)), options())
process.stdout.write('up\n')
