// One page of a list, and how long the list is.

import type { SelectQueryBuilder } from 'kysely'
import type { Schema } from './schema.ts'
import type { Page, PageRequest } from './store.ts'

/** `query` is `all` with columns and an order. Most lists fit one page, and then one query is enough. */
export async function pageOf<Table extends keyof Schema, Row, T>(
  all: SelectQueryBuilder<Schema, Table, object>,
  page: PageRequest,
  query: SelectQueryBuilder<Schema, Table, Row>,
  read: (row: Row) => T,
): Promise<Page<T>> {
  const rows = await query.limit(page.limit).offset(page.offset).execute()
  const results = rows.map(row => read(row as Row))
  const isLast = results.length < page.limit && (results.length > 0 || page.offset === 0)
  if (isLast) return { count: page.offset + results.length, results }
  const { count } = await all.select(eb => eb.fn.countAll<number | string>().as('count')).executeTakeFirstOrThrow()
  // PostgreSQL counts in 64 bits, which come as text.
  return { count: Number(count), results }
}
