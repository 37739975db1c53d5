// The controller on SQLite, with this machine as its cluster.

import { dirname, join } from 'node:path'
import { parseConfig } from '#controller/config.ts'
import { Controller } from '#controller/controller.ts'
import { openCluster } from '#controller/open-cluster.ts'
import { imagesOf, leftImagesOf, openRegistry, openRegistryTokens } from '#controller/open-registry.ts'
import { RegistryTokens } from '#controller/registry-tokens.ts'
import { openStore } from '#controller/store/open-store.ts'
import { exitCode, StartupError } from '#kit/exit.ts'
import type { Logger } from '#kit/log.ts'
import { version } from '#kit/version.ts'
import { controllerLines, type LineSink } from '../lines.ts'
import { namespace, platformDomain, registryService } from '../names.ts'
import { address, ownConfig, type RunningService } from './running.ts'

export interface ControllerParts {
  readonly log: Logger
  readonly database: string
  /** What apps leave behind. */
  readonly apps: string
  /** Where the router reads. */
  readonly manifests: string
  /** URLs of other services. */
  readonly registry: string
  readonly routerAdmin: string
  /** Port. */
  readonly logger: number
  /** Secret. */
  readonly builderKey: string
  /** PEM file, secret: what tokens for the registry are signed with. */
  readonly tokenKey: string
  readonly lines: LineSink
}

/** Makes the keys that tokens for the registry are signed with and checked by, or finds them: PEM files in `directory`. */
export async function keepTokenKeys(directory: string): Promise<{ readonly secret: string; readonly open: string }> {
  await RegistryTokens.keep(directory, registryService)
  return { secret: join(directory, 'registry-token.pem'), open: join(directory, 'registry-token.pub.pem') }
}

export interface RunningController extends RunningService {
  /** Whether somebody had registered when it started. */
  readonly hasAdministrator: boolean
}

/** Throws StartupError 64 when the database knows no administrator and this machine apps all the same. */
export async function startController(parts: ControllerParts): Promise<RunningController> {
  const { log, lines } = parts
  const args = [
    ...['--address', address, '--port', '0', '--admin-port', '0'],
    ...['--sqlite', parts.database, '--local', parts.apps, '--manifests', parts.manifests],
    ...['--platform-domain', platformDomain],
    ...['--registry', parts.registry, '--registry-service', registryService, '--registry-token-key', parts.tokenKey],
    // Other users of this machine reach it too, and apps run as who started us.
    ...['--registration', 'admin_only'],
  ]
  const env = {
    POD_NAMESPACE: namespace,
    DEIS_BUILDER_KEY: parts.builderKey,
    DEIS_ROUTER_ADMIN_URL: parts.routerAdmin,
    DEIS_LOGGER_SERVICE_HOST: address,
    DEIS_LOGGER_SERVICE_PORT_HTTP: String(parts.logger),
  }
  const config = ownConfig(() => parseConfig(args, env, version))
  const store = await openStore(config.database, { log })
  const hasAdministrator = await store.users.hasSuperuser()
  const registryTokens = await openRegistryTokens(config)
  const registry = openRegistry(config, registryTokens)
  const line = (app: string, process: string, text: string): void =>
    lines.write({ app, source: 'app', process, time: Date.now(), text })
  const cluster = await openCluster(config, { log, line, registry })
  if (!hasAdministrator) {
    const apps = await cluster.apps(new AbortController().signal)
    if (apps.length > 0) {
      await cluster.close()
      await store.close()
      throw databaseIsLost(parts.database, apps.length)
    }
  }
  const controller = await Controller.start(config, {
    ...{ log, store, cluster, registryTokens },
    images: imagesOf(config, registry),
    leftImages: leftImagesOf(registry, registryTokens),
    appLines: controllerLines(lines),
  })
  return { hasAdministrator, port: controller.port, stop: patience => controller.stop(patience) }
}

/**
 * Somebody made these apps, so the database had users. Without them whoever comes first would be the administrator, of what
 * others have built too.
 */
function databaseIsLost(database: string, apps: number): StartupError {
  const data = dirname(database)
  return new StartupError(
    exitCode.usage,
    `${database} has no users, but ${data} has ${apps === 1 ? 'an app' : `${apps} apps`}: what was in the database is lost. ` +
      `Put back the copy of a backup, or remove ${data} to begin anew without these apps, or take another --data`,
  )
}
