// PostgreSQL under Kysely, by way of a pool of pg's. Kysely has a driver of its own, which cannot name statements (named
// ones are parsed and planned once for each connection) and gives a connection back whose answer is still outstanding.

import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
} from 'kysely'
import type { Pool, PoolClient } from 'pg'
import { checkParameters, isPostgresError, translate } from './errors.ts'

/** Statements that get a name. The store's own are about a hundred. */
const maxStatements = 300

export class PostgresPoolDialect implements Dialect {
  readonly #driver: PostgresPoolDriver

  constructor(pool: Pool, checkCaller: () => void) {
    this.#driver = new PostgresPoolDriver(pool, checkCaller)
  }

  createDriver(): Driver {
    return this.#driver
  }

  createAdapter(): PostgresAdapter {
    return new PostgresAdapter()
  }

  createIntrospector(db: ConstructorParameters<typeof PostgresIntrospector>[0]): PostgresIntrospector {
    return new PostgresIntrospector(db)
  }

  createQueryCompiler(): PostgresQueryCompiler {
    return new PostgresQueryCompiler()
  }
}

class PostgresPoolDriver implements Driver {
  readonly #pool: Pool
  /** Throws when the caller is in a transaction: it might wait for a connection that waits for it. */
  readonly #checkCaller: () => void
  /** Text → name, the same for all connections. */
  readonly #names = new Map<string, string>()

  constructor(pool: Pool, checkCaller: () => void) {
    this.#pool = pool
    this.#checkCaller = checkCaller
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    this.#checkCaller()
    return new PostgresConnection(await this.#pool.connect(), this.#names)
  }

  async releaseConnection(connection: DatabaseConnection): Promise<void> {
    ;(connection as PostgresConnection).release()
  }

  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await (connection as PostgresConnection).run('begin')
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    const command = await (connection as PostgresConnection).run('commit')
    // The server's answer when a statement had failed, and somebody caught that.
    if (command === 'ROLLBACK') throw new Error('the transaction has failed already')
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await (connection as PostgresConnection).rollback()
  }

  async destroy(): Promise<void> {
    await this.#pool.end()
  }
}

class PostgresConnection implements DatabaseConnection {
  readonly #client: PoolClient
  readonly #names: Map<string, string>
  /** It may have an answer outstanding, or a transaction open: nobody else may get it. */
  #isBroken = false

  constructor(client: PoolClient, names: Map<string, string>) {
    this.#client = client
    this.#names = names
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    checkParameters(query.parameters)
    try {
      const { rows, rowCount } = await this.#client.query({
        name: this.#nameOf(query.sql),
        text: query.sql,
        values: query.parameters as unknown[],
      })
      return { rows: rows as R[], numAffectedRows: BigInt(rowCount ?? 0) }
    } catch (error) {
      this.#note(error)
      throw translate(error, query.sql)
    }
  }

  // biome-ignore lint/correctness/useYield: there is nothing that it could yield.
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error('queries are not streamed')
  }

  /** Resolves to what the server says it did. */
  async run(command: string): Promise<string> {
    try {
      return (await this.#client.query(command)).command
    } catch (error) {
      this.#note(error)
      throw translate(error, command)
    }
  }

  async rollback(): Promise<void> {
    // A connection that is thrown away is rolled back by its end.
    if (this.#isBroken) return
    await this.run('rollback').catch(() => {
      this.#isBroken = true
    })
  }

  release(): void {
    this.#client.release(this.#isBroken)
  }

  #note(error: unknown): void {
    if (!isPostgresError(error) || error.severity === 'FATAL') this.#isBroken = true
  }

  #nameOf(sql: string): string | undefined {
    const known = this.#names.get(sql)
    if (known !== undefined || this.#names.size >= maxStatements) return known
    const name = `s${this.#names.size}`
    this.#names.set(sql, name)
    return name
  }
}
