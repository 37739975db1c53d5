// The registry's command line and environment, parsed once into a RegistryConfig. How S3 is reached comes as the Secret that
// charts of Deis have always mounted gives it (registry contract, section 11): a file for each value.

import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { type Environment, type Flag, type FlagValues, readCommandLine } from '#kit/command-line.ts'
import type { StoreTarget } from '#store/open-store.ts'
import { storeFlags, storeOf } from '#store/store-flags.ts'
import { readPublicKeys, type TokenAccessOptions } from './api/access.ts'

export interface RegistryConfig {
  readonly address: string
  /** 0: the kernel chooses, for all three. */
  readonly port: number
  /** Metrics, health and garbage collection, for the operator alone. */
  readonly adminPort: number
  /** Reads only, without tokens; null: there is no such port. */
  readonly pullPort: number | null
  readonly store: StoreTarget
  /** Null: open to all who reach it. */
  readonly tokens: TokenAccessOptions | null
  readonly deletes: boolean
  readonly absoluteLocations: boolean
  /** How long what nothing refers to is kept, milliseconds. */
  readonly grace: number
  /** Between collections, milliseconds; 0: only when asked. */
  readonly collectInterval: number
  /** After which an idle upload is removed, milliseconds. */
  readonly uploadTimeout: number
  readonly maxUploads: number
  readonly maxConnections: number
  /** How long a peer may send or take nothing, milliseconds. */
  readonly patience: number
  /** How long requests may go on after SIGTERM, milliseconds. */
  readonly drainTimeout: number
}

export type RegistryCommand =
  | { readonly kind: 'run'; readonly config: RegistryConfig }
  /** `--help` or `--version`: print this on stdout and exit 0. */
  | { readonly kind: 'print'; readonly text: string }

const flags = {
  address: { name: 'address', argument: 'ADDRESS', help: 'IP address to listen on (default 0.0.0.0)' },
  port: { name: 'port', argument: 'PORT', help: 'the registry (default 5000; 0: any free port, as for the others)' },
  adminPort: { name: 'admin-port', argument: 'PORT', help: 'metrics, health, POST /collect (default 9092)' },
  ...storeFlags,
  tokenKey: {
    name: 'token-key',
    argument: 'FILE',
    help: 'public keys (PEM, P-256) of who issues tokens; without it the registry is open',
  },
  tokenRealm: { name: 'token-realm', argument: 'URL', help: 'where clients get tokens' },
  pullPort: {
    name: 'pull-port',
    argument: 'PORT',
    help: 'with --token-key: where everybody may read, for machines that run images (default none)',
  },
  tokenService: { name: 'token-service', argument: 'NAME', help: 'what tokens are for (default deis-registry)' },
  tokenIssuer: { name: 'token-issuer', argument: 'NAME', help: 'who issues tokens (default deis-controller)' },
  deletes: { name: 'deletes', argument: 'on|off', help: 'whether anything may be deleted (default on)' },
  locations: {
    name: 'locations',
    argument: 'relative|absolute',
    help: 'form of the field Location (default relative, right behind any proxy)',
  },
  grace: { name: 'grace', argument: 'MINUTES', help: 'how long what nothing refers to is kept (default 1440)' },
  collectEvery: {
    name: 'collect-every',
    argument: 'MINUTES',
    help: 'between garbage collections (default 360; 0: only on SIGUSR2 and POST /collect)',
  },
  uploadTimeout: { name: 'upload-timeout', argument: 'MINUTES', help: 'of idle uploads (default 1440)' },
  maxUploads: { name: 'max-uploads', argument: 'N', help: 'uploads under way (default 1000)' },
  maxConnections: { name: 'max-connections', argument: 'N', help: 'open connections (default 2000)' },
  patience: { name: 'body-timeout', argument: 'SECONDS', help: 'how long a peer may stand still (default 60)' },
  drainTimeout: { name: 'drain-timeout', argument: 'SECONDS', help: 'for requests after SIGTERM (default 60)' },
} as const satisfies Record<string, Flag>

type Values = FlagValues<keyof typeof flags>

const minute = 60_000

/** Reads the arguments after `node main.ts`. All faults are reported together, as one StartupError with exit code 64. */
export function parseConfig(argv: readonly string[], env: Environment, version: string): RegistryCommand {
  const command = readCommandLine(
    {
      name: 'deis-registry',
      description: 'A registry of images: OCI Distribution 1.1 on a folder or an S3 API.',
      version,
      prefix: 'DEIS_REGISTRY_',
      flags,
    },
    argv,
    env,
  )
  if (command.kind === 'print') return command
  const { values } = command
  const config: RegistryConfig = {
    address: values.parsed('address', 'an IP address', text => (isIP(text) === 0 ? null : text)) ?? '0.0.0.0',
    port: values.port('port', 5000),
    adminPort: values.port('adminPort', 9092),
    pullPort: values.text('pullPort') === null ? null : values.port('pullPort', 0),
    store: storeOf(values, 'registry-bucket'),
    tokens: tokensOf(values),
    deletes: values.onOff('deletes', 'on'),
    absoluteLocations: values.choice('locations', ['relative', 'absolute'], 'relative') === 'absolute',
    grace: values.number('grace', 1, 1_000_000, 1440) * minute,
    // setInterval takes no more than 24 days.
    collectInterval: values.number('collectEvery', 0, 30_000, 360) * minute,
    uploadTimeout: values.number('uploadTimeout', 1, 1_000_000, 1440) * minute,
    maxUploads: values.number('maxUploads', 1, 1_000_000, 1000),
    maxConnections: values.number('maxConnections', 1, 1_000_000, 2000),
    patience: values.number('patience', 1, 3600, 60) * 1000,
    drainTimeout: values.number('drainTimeout', 0, 86_400, 60) * 1000,
  }
  if (config.port !== 0 && config.port === config.adminPort)
    values.faults.push(`--port and --admin-port are both ${config.port}`)
  if (config.pullPort !== null && config.pullPort !== 0 && [config.port, config.adminPort].includes(config.pullPort))
    values.faults.push(`--pull-port is another one's port, ${config.pullPort}`)
  // An open registry is one for everybody already.
  if (config.pullPort !== null && values.text('tokenKey') === null)
    values.faults.push('--pull-port goes with --token-key')
  values.check()
  return { kind: 'run', config }
}

function tokensOf(values: Values): TokenAccessOptions | null {
  const keys = values.parsed('tokenKey', 'a file with public keys (PEM) of the curve P-256', file => {
    try {
      return readPublicKeys(readFileSync(file, 'utf8'))
    } catch {
      return null
    }
  })
  // Both stand between quotation marks in a challenge.
  const realm = values.parsed('tokenRealm', 'a URL', text => {
    const url = URL.parse(text)
    return url !== null && /^https?:$/.test(url.protocol) ? url.href : null
  })
  const service =
    values.parsed('tokenService', 'a name', text => (/^[\w.:/-]{1,255}$/.test(text) ? text : null)) ?? 'deis-registry'
  const issuer = values.text('tokenIssuer') ?? 'deis-controller'
  if (keys === null) {
    if (realm !== null) values.faults.push('--token-realm goes with --token-key')
    return null
  }
  if (realm === null) values.faults.push('--token-key needs --token-realm URL')
  return { realm: realm ?? '', service, issuer, keys }
}
