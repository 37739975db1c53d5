// The builder: builds are processes of this machine, repositories are in a folder.

import { Builder } from '#builder/builder.ts'
import { parseConfig } from '#builder/config.ts'
import { openStrategy } from '#builder/open-strategy.ts'
import type { Logger } from '#kit/log.ts'
import { version } from '#kit/version.ts'
import { openStore } from '#store/open-store.ts'
import { address, ownConfig, type RunningService } from './running.ts'

export interface BuilderParts {
  readonly log: Logger
  /** Where repositories are kept. */
  readonly repositories: string
  /** Builds, and what is kept between them. */
  readonly builds: string
  /** Emptied at each start. */
  readonly work: string
  readonly hostKeys: string
  /** URLs of other services. */
  readonly controller: string
  readonly registry: string
  /** Secret. */
  readonly builderKey: string
}

export async function startBuilder(parts: BuilderParts): Promise<RunningService> {
  const { log, controller } = parts
  const args = [
    ...['--address', address, '--port', '0', '--health-port', '0', '--controller', controller],
    ...['--folder', parts.repositories, '--local', parts.builds, '--work', parts.work, '--host-keys', parts.hostKeys],
    ...['--registry', parts.registry, '--registry-tokens', `${controller}/v2/registry/token`],
  ]
  const config = ownConfig(() => parseConfig(args, { DEIS_BUILDER_KEY: parts.builderKey }, version))
  const store = await openStore(config.store)
  const strategy = await openStrategy(config)
  const builder = await Builder.start(config, { log, store, strategy })
  const stop = async (patience: number): Promise<void> => {
    await builder.stop(patience)
    await store.close()
  }
  return { port: builder.port, stop }
}
