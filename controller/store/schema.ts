// The tables, as Kysely sees them. Every column has the same meaning in both databases: times are ISO 8601 texts in UTC
// with milliseconds, so they sort as times do; JSON is text (see migrations/0001-tables.ts). Rows name users and apps by
// name, which never changes, so that no query has to join.

import type { Generated } from 'kysely'

export interface Schema {
  readonly users: UsersTable
  readonly tokens: TokensTable
  readonly apps: AppsTable
  readonly grants: GrantsTable
  readonly builds: BuildsTable
  readonly configs: ConfigsTable
  readonly releases: ReleasesTable
  readonly settings: SettingsTable
  readonly tls: TlsTable
  readonly domains: DomainsTable
  readonly certificates: CertificatesTable
  readonly keys: KeysTable
  readonly idempotency: IdempotencyTable
}

/** SQLite has no truth values: 0 and 1 come back. */
type Truth = boolean | number

interface Stamped {
  readonly created: string
  readonly updated: string
}

/** What an app has, and who made it. */
interface OfApp extends Stamped {
  readonly uuid: string
  readonly app: string
  readonly owner: string
}

interface UsersTable {
  readonly id: Generated<number>
  readonly username: string
  readonly password_hash: string
  readonly email: string
  readonly first_name: string
  readonly last_name: string
  readonly is_superuser: Truth
  readonly is_active: Truth
  readonly joined: string
  readonly last_login: string | null
}

interface TokensTable {
  /** Order of making. */
  readonly seq: Generated<number>
  readonly hash: string
  readonly username: string
}

interface AppsTable extends Stamped {
  readonly uuid: string
  readonly id: string
  readonly owner: string
  /** JSON. */
  readonly structure: string
  readonly state: string
}

interface GrantsTable {
  readonly app: string
  readonly username: string
}

interface BuildsTable extends OfApp {
  /** Order of making. */
  readonly seq: Generated<number>
  readonly image: string
  readonly sha: string
  /** JSON. */
  readonly procfile: string
  readonly dockerfile: string
  readonly exposed_port: number | null
}

interface ConfigsTable extends OfApp {
  /** The maps as one JSON object: they are only ever read together. */
  readonly maps: string
}

interface ReleasesTable extends OfApp {
  readonly version: number
  readonly summary: string
  readonly state: string
  readonly config: string
  readonly build: string | null
  /** JSON. Null when the deploy has ended. */
  readonly former_structure: string | null
}

interface SettingsTable extends OfApp {
  readonly maintenance: Truth
  readonly routable: Truth
  /** JSON. */
  readonly whitelist: string
  /** JSON. */
  readonly autoscale: string
  /** JSON. */
  readonly label: string
}

interface TlsTable extends OfApp {
  readonly https_enforced: Truth | null
}

interface DomainsTable extends Stamped {
  readonly app: string
  readonly owner: string
  readonly domain: string
  readonly certificate: string | null
}

interface CertificatesTable extends Stamped {
  readonly id: Generated<number>
  readonly owner: string
  readonly name: string
  readonly chain: string
  readonly key: string
  readonly common_name: string | null
  /** JSON. */
  readonly san: string
  readonly fingerprint: string
  readonly starts: string
  readonly expires: string
  readonly issuer: string
  readonly subject: string
}

interface KeysTable extends Stamped {
  readonly uuid: string
  readonly owner: string
  readonly id: string
  readonly public: string
  /** Unique in place of `public`, which may be longer than PostgreSQL can index. */
  readonly public_digest: string
  readonly fingerprint: string
}

interface IdempotencyTable {
  readonly username: string
  readonly key: string
  readonly request: string
  /** Id of the process that works on it, or did. */
  readonly process: string | null
  /** Null while the first request is under way. */
  readonly status: number | null
  readonly body: string | null
  readonly created: string
}
