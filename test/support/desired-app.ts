// Apps as a store would describe them, for tests of clusters and of plans: give what matters, the rest is plain.

import type { AppId } from '#controller/domain/app.ts'
import { type ConfigMaps, noConfig } from '#controller/domain/config.ts'
import type { DesiredApp, DesiredRelease, Routing } from '#controller/domain/desired-app.ts'

const created = new Date('2026-03-01T10:00:00.000Z')

const noRouting: Routing = {
  routable: true,
  maintenance: false,
  httpsEnforced: null,
  whitelist: [],
  domains: [],
  certificates: [],
}

export interface DesiredAppParts extends Partial<Omit<DesiredApp, 'id' | 'routing' | 'release'>> {
  readonly routing?: Partial<Routing>
  readonly release?: DesiredRelease | null
}

/** Its domain is its own name. */
export function desiredApp(id: string, { routing, ...parts }: DesiredAppParts = {}): DesiredApp {
  return {
    uuid: `00000000-0000-4000-8000-${Buffer.from(id).toString('hex').padEnd(12, '0').slice(0, 12)}`,
    id: id as AppId,
    structure: {},
    autoscale: {},
    release: null,
    ...parts,
    routing: { ...noRouting, domains: [{ domain: id, certificate: null }], ...routing },
  }
}

export interface DesiredReleaseParts extends Partial<Omit<DesiredRelease, 'build' | 'config'>> {
  readonly build?: Partial<DesiredRelease['build']>
  readonly config?: Partial<ConfigMaps>
}

/** Of an image, unless `build` says otherwise. */
export function desiredRelease(app: string, { build, config, ...parts }: DesiredReleaseParts = {}): DesiredRelease {
  return {
    version: 2,
    summary: 'ann deployed an image',
    created,
    port: 8080,
    ...parts,
    build: {
      uuid: '11111111-1111-4111-8111-111111111111',
      app: app as AppId,
      owner: 'ann',
      image: 'localhost/echo:1',
      sha: '',
      procfile: {},
      dockerfile: '',
      exposedPort: null,
      created,
      updated: created,
      ...build,
    },
    config: { ...noConfig, ...config },
  }
}
