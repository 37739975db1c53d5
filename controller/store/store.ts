// What the controller remembers, as interfaces: two databases keep it, and one suite says what both promise.
//
// Reads outside a transaction see committed rows. A transaction is atomic; on SQLite one runs at a time, on PostgreSQL
// `apps.lockRow` orders those that change one app. Names are looked up exactly as given unless it says otherwise.

import type { App, AppId, AppSettings, Build, Domain, Release, ReleaseState, Structure, Tls } from '../domain/app.ts'
import type { Config } from '../domain/config.ts'
import type { Certificate, Key, User } from '../domain/user.ts'

export interface PageRequest {
  /** At least 1. */
  readonly limit: number
  readonly offset: number
}

export interface Page<T> {
  /** Of all pages together. */
  readonly count: number
  readonly results: readonly T[]
}

/** Thrown by an insert whose unique column has the value already. */
export class TakenError extends Error {
  /** `users.username`, `apps.id`, `domains.domain`, `certificates.name`, `keys.id`, `keys.public`, `releases.version`. */
  readonly column: string

  constructor(column: string) {
    super(`${column} is taken`)
    this.name = 'TakenError'
    this.column = column
  }
}

/** Thrown by a delete of a row that others refer to. */
export class InUseError extends Error {
  constructor(what: string) {
    super(`${what} is in use`)
    this.name = 'InUseError'
  }
}

/** Thrown by an insert of a row of something, or for somebody, that is not there: it was deleted meanwhile. */
export class GoneError extends Error {
  constructor(what: string) {
    super(`what a ${what} refers to is gone`)
    this.name = 'GoneError'
  }
}

type New<T, Made extends keyof T = never> = Omit<T, 'uuid' | 'created' | 'updated' | Made>

export interface Users {
  /** Joined now. Throws TakenError. `superuserIfFirst`: an administrator if there is none yet, decided atomically. */
  create(user: {
    readonly username: string
    readonly passwordHash: string
    readonly email: string
    readonly firstName: string
    readonly lastName: string
    readonly superuserIfFirst: boolean
  }): Promise<User>
  find(username: string): Promise<User | null>
  /** By the hash of one of his tokens. */
  findByToken(hash: string): Promise<User | null>
  passwordHash(username: string): Promise<string | null>
  setPasswordHash(username: string, hash: string): Promise<void>
  setSuperuser(username: string, value: boolean): Promise<void>
  setLastLogin(username: string, at: Date): Promise<void>
  hasSuperuser(): Promise<boolean>
  /** By id. */
  list(page: PageRequest): Promise<Page<User>>
  superusers(page: PageRequest): Promise<Page<User>>
  /** Removes the user with tokens, keys and grants. Throws InUseError while he owns apps, certificates or rows of an app. */
  delete(username: string): Promise<void>
}

export interface Tokens {
  /** Keeps at most `most` of a user, the newest. */
  add(username: string, hash: string, most: number): Promise<void>
  /** Ends one, if there is such. */
  remove(hash: string): Promise<void>
  /** Ends those of this user whose hash comes from `first` on and before `end`, as text. */
  removeBetween(username: string, first: string, end: string): Promise<void>
  /** Ends all of this user. */
  clear(username: string): Promise<void>
  /** Ends all of everybody. */
  clearAll(): Promise<void>
}

export interface Apps {
  /** State `creating`. Throws TakenError. */
  create(app: { readonly id: AppId; readonly owner: string; readonly structure: Structure }): Promise<App>
  find(id: string): Promise<App | null>
  /** As `find`; on PostgreSQL other transactions that ask for the same row wait until this one ends. */
  lockRow(id: string): Promise<App | null>
  /** By id; not those `creating` or `deleting`. `user` null: all, else those he owns or was granted. */
  list(user: string | null, page: PageRequest): Promise<Page<App>>
  /** Every id in every state, sorted. */
  all(): Promise<readonly App[]>
  setStructure(id: AppId, structure: Structure): Promise<void>
  setState(id: AppId, state: App['state']): Promise<void>
  /** Hands the app, and the rows of it that the old owner made, to `owner`. */
  transfer(id: AppId, owner: string): Promise<void>
  /** With all rows of it. */
  delete(id: AppId): Promise<void>
  ownedBy(user: string): Promise<number>
}

export interface Grants {
  has(app: AppId, user: string): Promise<boolean>
  /** Sorted. */
  users(app: AppId): Promise<readonly string[]>
  /** Nothing happens when it is there already. */
  add(app: AppId, user: string): Promise<void>
  /** False when it was not there. */
  remove(app: AppId, user: string): Promise<boolean>
}

export interface Builds {
  create(build: New<Build>): Promise<Build>
  find(app: AppId, uuid: string): Promise<Build | null>
  /** Newest first. */
  list(app: AppId, page: PageRequest): Promise<Page<Build>>
}

export interface Configs {
  create(config: New<Config>): Promise<Config>
  find(app: AppId, uuid: string): Promise<Config | null>
}

export interface UnfinishedRelease extends Release {
  /** Null: it was not said when it was made. */
  readonly formerStructure: Structure | null
}

export interface Releases {
  /** Version: one more than the highest. */
  create(release: {
    readonly app: AppId
    readonly owner: string
    readonly summary: string
    readonly config: string
    readonly build: string | null
    readonly state: ReleaseState
    /** What the app goes back to if the deploy fails; kept until it has ended. */
    readonly formerStructure?: Structure
  }): Promise<Release>
  find(app: AppId, version: number): Promise<Release | null>
  /** The latest that succeeded. */
  current(app: AppId): Promise<Release | null>
  /** The latest that succeeded and is older than `version`. */
  before(app: AppId, version: number): Promise<Release | null>
  /** Newest first. */
  list(app: AppId, page: PageRequest): Promise<Page<Release>>
  /** Those `deploying`, of all apps. */
  unfinished(): Promise<readonly UnfinishedRelease[]>
  finish(uuid: string, state: 'succeeded' | 'failed', summary?: string): Promise<void>
}

export interface SettingsRows {
  /** The app's only row. */
  find(app: AppId): Promise<AppSettings>
  /** Takes the place of the row that was there, with a new UUID; `created` stays. */
  put(settings: New<AppSettings>): Promise<AppSettings>
}

export interface TlsRows {
  find(app: AppId): Promise<Tls>
  put(tls: New<Tls>): Promise<Tls>
}

export interface Domains {
  /** Throws TakenError; letter case does not make names differ. */
  create(domain: New<Domain, 'certificate'>): Promise<Domain>
  /** Letter case does not count. */
  find(domain: string): Promise<Domain | null>
  /**
   * Whether a wildcard over `domain`, or a name below it, is an app's that this user neither owns nor was granted. Before
   * `create` in one transaction: others that ask of a domain that comes together with it wait until this one ends.
   */
  overlapsOthers(domain: string, username: string): Promise<boolean>
  /** By name. */
  list(app: AppId, page: PageRequest): Promise<Page<Domain>>
  /** Null takes it off. */
  attach(domain: string, certificate: string | null): Promise<void>
  delete(domain: string): Promise<void>
}

export interface Certificates {
  /** Throws TakenError. */
  create(certificate: New<Certificate, 'id' | 'domains'>): Promise<Certificate>
  find(owner: string, name: string): Promise<Certificate | null>
  /** By id. */
  list(owner: string, page: PageRequest): Promise<Page<Certificate>>
  /** Takes it off every domain. */
  delete(name: string): Promise<void>
  /** Those attached to a domain of the app, each once, by name. */
  ofApp(app: AppId): Promise<readonly Certificate[]>
}

export interface Keys {
  /** Throws TakenError. */
  create(key: New<Key>): Promise<Key>
  find(owner: string, id: string): Promise<Key | null>
  findByFingerprint(fingerprint: string): Promise<Key | null>
  /** By id. */
  list(owner: string, page: PageRequest): Promise<Page<Key>>
  delete(id: string): Promise<void>
}

/** The answer to a request that carried an idempotency key. */
export interface KeptAnswer {
  /** Digest of method, path and body: the same key with another request is a mistake. */
  readonly request: string
  /** Null while the first request is under way. */
  readonly answer: { readonly status: number; readonly body: string } | null
}

export interface IdempotencyKeys {
  /**
   * Claims the key for a request, or says who has it. Rows older than a day count as absent, and so do claims without
   * answer of a process that is gone. Not for use inside a transaction.
   */
  claim(
    user: string,
    key: string,
    request: string,
  ): Promise<{ readonly kind: 'claimed' } | ({ readonly kind: 'kept' } & KeptAnswer)>
  /** Answers a claim of this process; nothing happens when somebody else has taken it over. */
  answer(user: string, key: string, status: number, body: string): Promise<void>
  /** Gives up a claim of this process whose request came to no answer. */
  release(user: string, key: string): Promise<void>
  /** Removes what is older than a day. */
  sweep(): Promise<void>
}

export interface Repositories {
  readonly users: Users
  readonly tokens: Tokens
  readonly apps: Apps
  readonly grants: Grants
  readonly builds: Builds
  readonly configs: Configs
  readonly releases: Releases
  readonly settings: SettingsRows
  readonly tls: TlsRows
  readonly domains: Domains
  readonly certificates: Certificates
  readonly keys: Keys
  readonly idempotency: IdempotencyKeys
}

/** Held until disposed of, or until the process that holds it is gone. */
export interface Lock extends AsyncDisposable {
  /** Aborts when the lock is lost: the database ended the session that holds it. */
  readonly lost: AbortSignal
}

/** Locks that all replicas share. Names are free: `app:shop`, `leader`. */
export interface Locks {
  /** Null when somebody has it. */
  tryTake(name: string): Promise<Lock | null>
  /** Waits for it; rejects with the signal's reason. */
  take(name: string, signal: AbortSignal): Promise<Lock>
}

export interface Store extends Repositories {
  /**
   * Committed when `work` resolves, undone when it throws. Serialisation failures, deadlocks and clashes of release
   * versions are tried again, so `work` may run more than once. What the rows threw ends the transaction, even if it was
   * caught. Only `rows` may be used inside: the store itself throws there, as it might wait for this very transaction.
   */
  transaction<T>(work: (rows: Repositories) => Promise<T>): Promise<T>
  readonly locks: Locks
  /** One query. Throws when the database is away. */
  ping(): Promise<void>
  close(): Promise<void>
}
