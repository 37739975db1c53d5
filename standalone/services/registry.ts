// The registry on a folder, open to who brings a token of the controller.

import { Writable } from 'node:stream'
import type { Logger } from '#kit/log.ts'
import { version } from '#kit/version.ts'
import { parseConfig } from '#registry/config.ts'
import { Registry } from '#registry/registry.ts'
import { openStore } from '#store/open-store.ts'
import { address, ownConfig, type RunningService } from './running.ts'

export interface RegistryParts {
  readonly log: Logger
  /** What is in it. */
  readonly directory: string
  /** PEM file: who issues tokens. */
  readonly tokenKey: string
  /** Where others than our own services get them. */
  readonly tokenRealm: string
  readonly tokenService: string
}

export async function startRegistry(parts: RegistryParts): Promise<RunningService> {
  const { log, directory, tokenKey, tokenRealm, tokenService } = parts
  const args = [
    ...['--address', address, '--port', '0', '--admin-port', '0', '--folder', directory],
    ...['--token-key', tokenKey, '--token-realm', tokenRealm, '--token-service', tokenService],
  ]
  const config = ownConfig(() => parseConfig(args, {}, version))
  const store = await openStore(config.store)
  const registry = await Registry.start(config, { log, store, accessLines: nowhere() })
  return { port: registry.port, stop: patience => registry.stop(patience) }
}

/** Our own services alone talk to it, and say what goes wrong. */
function nowhere(): Writable {
  return new Writable({
    write(_chunk, _encoding, done) {
      done()
    },
  })
}
