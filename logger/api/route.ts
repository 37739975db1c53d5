// What a request of the retrieval API asks for (registry contract, section 10). Pure.

import { isAppId, isLogName, type LogSource, logSources } from '../line.ts'

export type Route =
  | { readonly kind: 'health' }
  | { readonly kind: 'logs'; readonly app: string; readonly wanted: Wanted }
  | { readonly kind: 'drain'; readonly app: string }

export interface Wanted {
  readonly lines: number
  readonly follow: boolean
  readonly sources: readonly LogSource[]
}

const defaultLines = 100
/** Lines of one answer, whatever was asked for. */
export const maxLines = 10_000

/** `target`: path and query as they came. Null: there is no such thing. */
export function routeOf(target: string): Route | null {
  const mark = target.indexOf('?')
  const path = mark < 0 ? target : target.slice(0, mark)
  const [, kind, raw] = /^\/(healthz|logs|drains)(?:\/([^/]+))?\/?$/.exec(path) ?? []
  if (kind === 'healthz') return raw === undefined ? { kind: 'health' } : null
  const name = raw === undefined ? null : decoded(raw)
  if (kind === undefined || name === null) return null
  if (kind === 'drains') return isAppId(name) ? { kind: 'drain', app: name } : null
  if (!isLogName(name)) return null
  const query = new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1))
  return { kind: 'logs', app: name, wanted: wantedOf(query) }
}

function wantedOf(query: URLSearchParams): Wanted {
  const digits = /^\+?(\d+)$/.exec(query.get('log_lines') ?? '')?.[1]
  const lines = digits === undefined ? defaultLines : Math.min(Number(digits), maxLines)
  return { lines, follow: query.get('follow') === 'true', sources: sourcesOf(query.get('source')) }
}

/** Without a source, or with one that there is none of: what the app's users want to see, which is not each request. */
function sourcesOf(text: string | null): readonly LogSource[] {
  if (text === 'all') return logSources
  const one = logSources.find(source => source === text)
  return one === undefined ? ['app', 'controller'] : [one]
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}
