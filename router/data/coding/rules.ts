// The settings of `gzip.*`, `brotli.*` and `zstd.*` (contract section 4) in the form in which each response is held
// against them. Made once for each change of the settings.

import type { RouterSettings } from '../../model/settings.ts'
import { UserAgents } from '../../model/user-agents.ts'
import { type Coding, CodingNegotiator } from './accept.ts'

export interface CodingRules {
  /** False: nothing is ever compressed, and nothing else here needs to be looked at. */
  readonly enabled: boolean
  /** How hard each coding tries, on its own scale. */
  readonly levels: Readonly<Record<Coding, number>>
  /** Oldest HTTP/1 minor version of a request that is answered compressed. */
  readonly minorVersion: 0 | 1
  /** Octets; a shorter Content-Length is left as it is. */
  readonly minLength: number
  /** Media types, lower case; null: all of them. */
  readonly types: ReadonlySet<string> | null
  readonly vary: boolean
  /** Which requests that came through another proxy are answered compressed. */
  readonly proxied: ReadonlySet<string>
  readonly accept: CodingNegotiator
  /** Who gets nothing compressed; its faults are for people to see. */
  readonly disabled: UserAgents
}

export function compileCoding(settings: Pick<RouterSettings, 'gzip' | 'brotli' | 'zstd'>): CodingRules {
  const { gzip, brotli, zstd } = settings
  const codings = new Set<Coding>(['gzip'])
  if (brotli.enabled) codings.add('br')
  if (zstd.enabled) codings.add('zstd')
  return {
    enabled: gzip.enabled,
    levels: { gzip: gzip.compLevel, br: brotli.compLevel, zstd: zstd.compLevel },
    minorVersion: gzip.httpVersion === '1.0' ? 0 : 1,
    minLength: gzip.minLength,
    types: gzip.types.includes('*') ? null : new Set(['text/html', ...gzip.types.map(type => type.toLowerCase())]),
    vary: gzip.vary,
    proxied: new Set(gzip.proxied),
    accept: new CodingNegotiator(codings),
    disabled: new UserAgents(gzip.disable),
  }
}
