// The registry's command line and environment, parsed once into a RegistryConfig. How S3 is reached comes as the Secret that
// charts of Deis have always mounted gives it (registry contract, section 11): a file for each value.

import { type ProgramCommand, readCommandLine, samePorts } from '#kit/command-line.ts'
import * as flag from '#kit/flag.ts'
import type { StoreTarget } from '#store/open-store.ts'
import { storeFlags, storeOf } from '#store/store-flags.ts'
import { readPublicKeys, type TokenAccessOptions } from './api/access.ts'

const listening = {
  address: flag.listenAddress(),
  port: flag.port(5000, 'the registry', '0: any free port, as for the others'),
  /** For the operator alone. */
  adminPort: flag.port(9092, 'metrics, health, POST /collect'),
}

const access = {
  tokenKey: flag.file(
    'public keys (PEM) of the curve P-256',
    readPublicKeys,
    'public keys (PEM, P-256) of who issues tokens; without it the registry is open',
  ),
  // Both stand between quotation marks in a challenge.
  tokenRealm: flag.parsed(null, 'URL', 'a URL', hrefOf, 'where clients get tokens'),
  pullPort: flag.port(null, 'with --token-key: where everybody may read, for machines that run images (default none)'),
  tokenService: flag.parsed('deis-registry', 'NAME', 'a name', nameOf, 'what tokens are for'),
  tokenIssuer: flag.text('deis-controller', 'NAME', 'who issues tokens'),
}

const keeping = {
  deletes: flag.onOff(true, 'whether anything may be deleted'),
  absoluteLocations: {
    ...flag.parsed<boolean, boolean>(
      false,
      'relative|absolute',
      'relative or absolute',
      text => (text === 'absolute' ? true : text === 'relative' ? false : null),
      'form of the field Location (default relative, right behind any proxy)',
    ),
    name: 'locations',
  },
  grace: flag.minutes(1440, [1, 1_000_000], 'how long what nothing refers to is kept'),
  /** 0: only when asked. */
  collectInterval: {
    // setInterval takes no more than 24 days.
    ...flag.minutes(360, [0, 30_000], 'between garbage collections', '0: only on SIGUSR2 and POST /collect'),
    name: 'collect-every',
  },
  uploadTimeout: flag.minutes(1440, [1, 1_000_000], 'of idle uploads'),
  maxUploads: flag.count(1000, [1, 1_000_000], 'uploads under way'),
  maxConnections: flag.count(2000, [1, 1_000_000], 'open connections'),
  patience: { ...flag.seconds(60, [1, 3600], 'how long a peer may stand still'), name: 'body-timeout' },
  drainTimeout: flag.drainTimeout(60, 'for requests after SIGTERM'),
}

export interface RegistryConfig extends flag.ValuesOf<typeof listening>, flag.ValuesOf<typeof keeping> {
  /** Reads only, without tokens; null: there is no such port. */
  readonly pullPort: number | null
  readonly store: StoreTarget
  /** Null: open to all who reach it. */
  readonly tokens: TokenAccessOptions | null
}

/** Reads the arguments after `node main.ts`. All faults are reported together, as one StartupError with exit code 64. */
export function parseConfig(
  argv: readonly string[],
  env: flag.Environment,
  version: string,
): ProgramCommand<RegistryConfig> {
  const program = {
    name: 'deis-registry',
    description: 'A registry of images: OCI Distribution 1.1 on a folder or an S3 API.',
    version,
    prefix: 'DEIS_REGISTRY_',
    flags: { listening, storing: storeFlags, access, keeping },
  }
  return readCommandLine(program, argv, env, (values, faults) => {
    const { port, adminPort } = values.listening
    const { pullPort } = values.access
    faults.push(...samePorts({ port, adminPort, pullPort }))
    return {
      ...values.listening,
      ...values.keeping,
      pullPort,
      store: storeOf(values.storing, 'registry-bucket', faults),
      tokens: tokensOf(values.access, faults),
    }
  })
}

function tokensOf(given: flag.ValuesOf<typeof access>, faults: string[]): TokenAccessOptions | null {
  const { tokenKey, tokenRealm, pullPort, tokenService, tokenIssuer } = given
  if (tokenKey === null) {
    if (tokenRealm !== null) faults.push('--token-realm goes with --token-key')
    // An open registry is one for everybody already.
    if (pullPort !== null) faults.push('--pull-port goes with --token-key')
    return null
  }
  if (tokenRealm === null) faults.push('--token-key needs --token-realm URL')
  return { realm: tokenRealm ?? '', service: tokenService, issuer: tokenIssuer, keys: tokenKey }
}

function hrefOf(text: string): string | null {
  const url = URL.parse(text)
  return url !== null && /^https?:$/.test(url.protocol) ? url.href : null
}

function nameOf(text: string): string | null {
  return /^[\w.:/-]{1,255}$/.test(text) ? text : null
}
