// A store under test, and rows to put in it.

import type { AppId } from '../../domain/app.ts'
import { noConfig } from '../../domain/config.ts'
import type { Repositories, Store } from '../store.ts'

export interface SuiteStage {
  /** One for all tests. */
  readonly store: Store
  /** One of its own, for what looks at all rows. */
  empty<T>(work: (store: Store) => Promise<T>, options?: SuiteOptions): Promise<T>
}

export interface SuiteOptions {
  readonly wallClock?: () => number
}

export const all = { limit: 100, offset: 0 }

let last = 0
/** A name that no other test has. */
export const fresh = (prefix: string): string => `${prefix}-${++last}`

export function newUser(username: string, superuserIfFirst = false) {
  return {
    username,
    passwordHash: `hash of ${username}`,
    email: `${username}@example.com`,
    firstName: 'F',
    lastName: 'L',
    superuserIfFirst,
  }
}

export function newBuild(app: AppId, owner: string) {
  return {
    app,
    owner,
    image: 'image',
    sha: 'abc',
    procfile: { web: 'serve', a: 'b' },
    dockerfile: '',
    exposedPort: 8080,
  }
}

export function newCertificate(owner: string, name: string) {
  const day = new Date('2030-01-02T03:04:05Z')
  return {
    owner,
    name,
    chain: 'PEM chain',
    key: 'PEM key',
    commonName: null,
    san: ['a.example.com', 'b.example.com'],
    fingerprint: 'AA:BB',
    starts: day,
    expires: day,
    issuer: '/CN=i',
    subject: '/CN=s',
  }
}

/** An app with its owner and its first config. */
export async function newApp(rows: Repositories, id = fresh('app')) {
  const owner = fresh('user')
  await rows.users.create(newUser(owner))
  const app = await rows.apps.create({ id: id as AppId, owner, structure: { web: 1 } })
  const config = await rows.configs.create({ ...noConfig, app: app.id, owner })
  const release = { app: app.id, owner, summary: 's', config: config.uuid, build: null, state: 'succeeded' as const }
  return { id: app.id, owner, app, config, release }
}
