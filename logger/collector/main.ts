// The collector as a process; wiring only. Its own log (JSON) goes to stderr.

import { runProgram } from '#kit/program.ts'
import { version } from '#kit/version.ts'
import { KubeClient } from '#kube/client.ts'
import { Collector } from './collector.ts'
import { parseConfig } from './config.ts'

await runProgram({
  name: 'deis-collector',
  parse: () => parseConfig(process.argv.slice(2), process.env, version),
  async start(config, log) {
    const options = { userAgent: `deis-collector/${version}` }
    const client = await (config.kubeconfig === null
      ? KubeClient.inCluster(options)
      : KubeClient.fromKubeconfig(config.kubeconfig, options))
    const collector = await Collector.start(config, { log, client })
    log.info({ adminPort: collector.adminPort, node: config.node }, 'the collector is up')
    return collector
  },
})
