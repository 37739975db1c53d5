// The controller as a process; wiring only. Lines of apps go to stdout, its own log and the audit log (JSON) to stderr.

import { setFlagsFromString } from 'node:v8'
import { runProgram } from '#kit/program.ts'
import { version } from '#kit/version.ts'
import { parseConfig } from './config.ts'

// V8 lets the young generation grow to 64 MB, and the old one to several times of what is alive, and is slow to give it
// back. The second flag alone is about 50 MB less after 100 apps (bench:controller).
setFlagsFromString('--semi-space-growth-factor=1')
setFlagsFromString('--heap-growing-percent=30')

// Only now, as what they import makes the young generation grow.
const [{ Controller }, { openCluster }, { imagesOf, leftImagesOf, openRegistry, openRegistryTokens }, { openStore }] =
  await Promise.all([
    import('./controller.ts'),
    import('./open-cluster.ts'),
    import('./open-registry.ts'),
    import('./store/open-store.ts'),
  ])

/** Milliseconds; less than it takes Kubernetes to start us anew because we do not answer. */
const databasePatience = 30_000

await runProgram({
  name: 'deis-controller',
  parse: () => parseConfig(process.argv.slice(2), process.env, version),
  async start(config, log) {
    const store = await openStore(config.database, { log, patience: databasePatience })
    const line = (app: string, name: string, text: string): boolean =>
      process.stdout.write(`[${app}] ${name}: ${text}\n`)
    const registryTokens = await openRegistryTokens(config)
    const registry = openRegistry(config, registryTokens)
    const cluster = await openCluster(config, { log, line, registry })
    const images = imagesOf(config, registry)
    const leftImages = leftImagesOf(registry, registryTokens)
    const controller = await Controller.start(config, { log, store, cluster, images, leftImages, registryTokens })
    log.info({ port: controller.port, adminPort: controller.adminPort, cluster: cluster.kind }, 'the API is up')
    return controller
  },
})
