// The first tables. Texts are compared and sorted by octet in both databases: PostgreSQL would otherwise sort by the
// language that the database was made with. JSON is text, not jsonb: nothing looks inside, keys keep their order, and
// jsonb refuses U+0000, which the value of an environment variable in JSON may hold.

import { type CreateTableBuilder, type Kysely, sql } from 'kysely'
import type { Engine } from '../session.ts'

// Any columns: helpers add some.
type Table = CreateTableBuilder<string, string>

export async function createTables(db: Kysely<unknown>, engine: Engine): Promise<void> {
  const text = engine === 'postgres' ? sql`text collate "C"` : 'text'

  const create = (table: string): Table => db.schema.createTable(table)

  /** A number for each row, in the order of making. */
  const numbered = (table: Table, column: string): Table =>
    engine === 'postgres'
      ? table.addColumn(column, 'integer', c => c.generatedAlwaysAsIdentity().primaryKey())
      : table.addColumn(column, 'integer', c => c.primaryKey().autoIncrement())

  const stamped = (table: Table): Table =>
    table.addColumn('created', text, c => c.notNull()).addColumn('updated', text, c => c.notNull())

  // Who owns anything cannot be deleted; what an app has goes with it.
  const owned = (table: Table): Table =>
    table.addColumn('owner', text, c => c.notNull().references('users.username').onDelete('restrict'))
  const ofApp = (table: Table): Table =>
    owned(table.addColumn('app', text, c => c.notNull().references('apps.id').onDelete('cascade')))
  const ofUser = (table: Table): Table =>
    table.addColumn('username', text, c => c.notNull().references('users.username').onDelete('cascade'))

  const unique = (table: string, ...columns: string[]): Promise<void> =>
    db.schema
      .createIndex(`${table}_${columns.at(-1)}_key`)
      .unique()
      .on(table)
      .columns(columns)
      .execute()
  const index = (table: string, ...columns: string[]): Promise<void> =>
    db.schema
      .createIndex(`${table}_${columns.join('_')}_index`)
      .on(table)
      .columns(columns)
      .execute()

  await numbered(create('users'), 'id')
    .addColumn('username', text, c => c.notNull())
    .addColumn('password_hash', text, c => c.notNull())
    .addColumn('email', text, c => c.notNull())
    .addColumn('first_name', text, c => c.notNull())
    .addColumn('last_name', text, c => c.notNull())
    .addColumn('is_superuser', 'boolean', c => c.notNull())
    .addColumn('is_active', 'boolean', c => c.notNull())
    .addColumn('joined', text, c => c.notNull())
    .addColumn('last_login', text)
    .execute()
  await unique('users', 'username')

  await ofUser(numbered(create('tokens'), 'seq'))
    .addColumn('hash', text, c => c.notNull())
    .execute()
  await unique('tokens', 'hash')
  await index('tokens', 'username', 'seq')

  await stamped(owned(create('apps').addColumn('id', text, c => c.notNull().primaryKey())))
    .addColumn('uuid', text, c => c.notNull())
    .addColumn('structure', text, c => c.notNull())
    .addColumn('state', text, c => c.notNull())
    .execute()
  await index('apps', 'owner')

  await ofUser(create('grants').addColumn('app', text, c => c.notNull().references('apps.id').onDelete('cascade')))
    .addPrimaryKeyConstraint('grants_pkey', ['app', 'username'])
    .execute()
  await index('grants', 'username')

  await stamped(ofApp(numbered(create('builds'), 'seq')))
    .addColumn('uuid', text, c => c.notNull())
    .addColumn('image', text, c => c.notNull())
    .addColumn('sha', text, c => c.notNull())
    .addColumn('procfile', text, c => c.notNull())
    .addColumn('dockerfile', text, c => c.notNull())
    .addColumn('exposed_port', 'integer')
    .execute()
  await unique('builds', 'uuid')
  await index('builds', 'app', 'seq')
  await index('builds', 'owner')

  await stamped(ofApp(create('configs').addColumn('uuid', text, c => c.notNull().primaryKey())))
    .addColumn('maps', text, c => c.notNull())
    .execute()
  await index('configs', 'app')
  await index('configs', 'owner')

  await stamped(ofApp(create('releases').addColumn('uuid', text, c => c.notNull().primaryKey())))
    .addColumn('version', 'integer', c => c.notNull())
    .addColumn('summary', text, c => c.notNull())
    .addColumn('state', text, c => c.notNull())
    .addColumn('config', text, c => c.notNull().references('configs.uuid').onDelete('cascade'))
    .addColumn('build', text, c => c.references('builds.uuid').onDelete('cascade'))
    .execute()
  await unique('releases', 'app', 'version')
  await index('releases', 'owner')
  await index('releases', 'config')
  await index('releases', 'build')
  await db.schema
    .createIndex('releases_unfinished_index')
    .on('releases')
    .column('app')
    .where(sql.ref('state'), '=', sql.lit('deploying'))
    .execute()

  await stamped(ofApp(create('settings').addColumn('uuid', text, c => c.notNull())))
    .addColumn('maintenance', 'boolean', c => c.notNull())
    .addColumn('routable', 'boolean', c => c.notNull())
    .addColumn('whitelist', text, c => c.notNull())
    .addColumn('autoscale', text, c => c.notNull())
    .addColumn('label', text, c => c.notNull())
    .addPrimaryKeyConstraint('settings_pkey', ['app'])
    .execute()
  await index('settings', 'owner')

  await stamped(ofApp(create('tls').addColumn('uuid', text, c => c.notNull())))
    .addColumn('https_enforced', 'boolean')
    .addPrimaryKeyConstraint('tls_pkey', ['app'])
    .execute()
  await index('tls', 'owner')

  await stamped(owned(numbered(create('certificates'), 'id')))
    .addColumn('name', text, c => c.notNull())
    .addColumn('chain', text, c => c.notNull())
    .addColumn('key', text, c => c.notNull())
    .addColumn('common_name', text)
    .addColumn('san', text, c => c.notNull())
    .addColumn('fingerprint', text, c => c.notNull())
    .addColumn('starts', text, c => c.notNull())
    .addColumn('expires', text, c => c.notNull())
    .addColumn('issuer', text, c => c.notNull())
    .addColumn('subject', text, c => c.notNull())
    .execute()
  await unique('certificates', 'name')
  await index('certificates', 'owner', 'id')

  await stamped(ofApp(create('domains').addColumn('domain', text, c => c.notNull().primaryKey())))
    .addColumn('certificate', text, c => c.references('certificates.name').onDelete('set null'))
    .execute()
  await db.schema
    .createIndex('domains_lower_key')
    .unique()
    .on('domains')
    .expression(sql`lower(${sql.ref('domain')})`)
    .execute()
  await index('domains', 'app', 'domain')
  await index('domains', 'owner')
  await index('domains', 'certificate')

  await stamped(create('keys').addColumn('uuid', text, c => c.notNull()))
    .addColumn('owner', text, c => c.notNull().references('users.username').onDelete('cascade'))
    .addColumn('id', text, c => c.notNull().primaryKey())
    .addColumn('public', text, c => c.notNull())
    .addColumn('public_digest', text, c => c.notNull())
    .addColumn('fingerprint', text, c => c.notNull())
    .execute()
  await unique('keys', 'public_digest')
  await index('keys', 'owner', 'id')
  // Not unique: one key with two comments is two texts with one fingerprint.
  await index('keys', 'fingerprint', 'created')

  await ofUser(create('idempotency'))
    .addColumn('key', text, c => c.notNull())
    .addColumn('request', text, c => c.notNull())
    .addColumn('status', 'integer')
    .addColumn('body', text)
    .addColumn('created', text, c => c.notNull())
    .addPrimaryKeyConstraint('idempotency_pkey', ['username', 'key'])
    .execute()
  await index('idempotency', 'created')
}
