// Pages of lists (controller contract, section 1): `limit` and `offset` in the query, links to the pages around.

import { z } from 'zod'
import type { Page, PageRequest } from '../store/store.ts'
import { type Answer, type Call, ok } from './resource.ts'

const defaultLimit = 100
/** An answer is made in memory: beyond this a client has to page. */
const mostLimit = 10_000

export function pageRequest(query: Call['query']): PageRequest {
  return { limit: Math.min(whole(query.limit) || defaultLimit, mostLimit), offset: whole(query.offset) }
}

/** 0 for anything that is not a number of digits. */
function whole(value: unknown): number {
  return typeof value === 'string' && /^[0-9]{1,9}$/.test(value) ? Number(value) : 0
}

export async function pageAnswer<T>(
  call: Call,
  rows: (page: PageRequest) => Promise<Page<T>>,
  show: (row: T) => unknown,
): Promise<Answer> {
  const request = pageRequest(call.query)
  const { count, results } = await rows(request)
  const { limit, offset } = request
  return ok({
    count,
    next: offset + limit < count ? link(call.url, limit, offset + limit) : null,
    previous: offset > 0 ? link(call.url, limit, Math.max(0, offset - limit)) : null,
    results: results.map(show),
  })
}

function link(url: URL, limit: number, offset: number): string {
  const to = new URL(url)
  to.searchParams.set('limit', String(limit))
  if (offset > 0) to.searchParams.set('offset', String(offset))
  else to.searchParams.delete('offset')
  return to.href
}

export function pageShape(item: z.ZodType): z.ZodType {
  return z.strictObject({
    count: z.int(),
    next: z.string().nullable(),
    previous: z.string().nullable(),
    results: z.array(item),
  })
}
