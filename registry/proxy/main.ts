// The registry's proxy as a process; wiring only. Its own log (JSON) goes to stderr.

import { setFlagsFromString } from 'node:v8'
import { collectGarbage } from '#kit/collect-garbage.ts'
import { runProgram } from '#kit/program.ts'
import { version } from '#kit/version.ts'

// It runs on every node, and what it reads lives for a moment only: a small nursery.
setFlagsFromString('--max-semi-space-size=1')
setFlagsFromString('--semi-space-growth-factor=1')

// Only now, as what they import makes the nursery grow.
const [{ parseConfig }, { RegistryProxy }] = await Promise.all([import('./config.ts'), import('./proxy.ts')])

await runProgram({
  name: 'deis-registry-proxy',
  parse: () => parseConfig(process.argv.slice(2), process.env, version),
  async start(config, log) {
    const proxy = await RegistryProxy.start(config, log)
    log.info({ port: proxy.port, adminPort: proxy.adminPort, target: config.target }, 'the proxy is up')
    // What reading the program has left behind.
    collectGarbage()
    return proxy
  },
})
