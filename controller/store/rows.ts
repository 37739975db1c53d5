// The classes of all tables on one session.

import { AppRows } from './apps.ts'
import { BuildRows } from './builds.ts'
import { CertificateRows } from './certificates.ts'
import { ConfigRows } from './configs.ts'
import { DomainRows } from './domains.ts'
import { GrantRows } from './grants.ts'
import { IdempotencyRows } from './idempotency.ts'
import { KeyRows } from './keys.ts'
import { ReleaseRows } from './releases.ts'
import type { Session } from './session.ts'
import { SettingsRows } from './settings.ts'
import type { Repositories } from './store.ts'
import { TlsRows } from './tls.ts'
import { TokenRows } from './tokens.ts'
import { UserRows } from './users.ts'

export function rowsOf(session: Session): Repositories {
  return {
    users: new UserRows(session),
    tokens: new TokenRows(session),
    apps: new AppRows(session),
    grants: new GrantRows(session),
    builds: new BuildRows(session),
    configs: new ConfigRows(session),
    releases: new ReleaseRows(session),
    settings: new SettingsRows(session),
    tls: new TlsRows(session),
    domains: new DomainRows(session),
    certificates: new CertificateRows(session),
    keys: new KeyRows(session),
    idempotency: new IdempotencyRows(session),
  }
}
