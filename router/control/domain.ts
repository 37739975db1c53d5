// Entries of the annotation `domains` and the hosts that they stand for (contract section 7).

import type { Brand } from '#kit/brand.ts'
import type { Hostname } from '../model/hostname.ts'
import { parseHostname } from '../model/hostname.ts'
import type { HostMatch } from '../model/route.ts'

/** `foo`, `www.foo.com` or `*.foo.com`, in lower case. */
export type DomainEntry = Brand<string, 'DomainEntry'>

/** The entry in lower case, or null when it is none. */
export function parseDomainEntry(raw: string): DomainEntry | null {
  // Checked before lower-casing: U+212A would become a plain k.
  if (!/^[A-Za-z0-9.*-]+$/.test(raw)) return null
  const entry = raw.toLowerCase()
  const wildcard = entry.startsWith('*.')
  const name = wildcard ? entry.slice(2) : entry
  if (parseHostname(name) === null) return null
  const lastDot = name.lastIndexOf('.')
  if (lastDot < 0) return wildcard ? null : (entry as DomainEntry)
  return name.length - lastDot > 2 ? (entry as DomainEntry) : null
}

/** Whether an entry names an app rather than a whole host: it takes the platform's domain and certificate. */
export function isDotless(entry: DomainEntry): boolean {
  return !entry.includes('.')
}

export interface DomainHost {
  readonly host: HostMatch
  /** Field 9 of the access log (section 14), before the log's own escaping. */
  readonly serverName: string
}

/** What `entry` answers to; null when it is too long for a host name once the platform domain is appended. */
export function hostOf(entry: DomainEntry, platformDomain: Hostname | null): DomainHost | null {
  if (entry.startsWith('*.')) {
    return { host: { kind: 'wildcard', suffix: entry.slice(2) as Hostname, depth: 'any' }, serverName: entry }
  }
  // The casts: parseDomainEntry has checked each part as a host name.
  if (!isDotless(entry)) return { host: { kind: 'exact', host: entry as string as Hostname }, serverName: entry }
  if (platformDomain === null) {
    const label = entry as string as Hostname
    return { host: { kind: 'label', label }, serverName: `~^${label}\\.(?<domain>.+)$` }
  }
  const host = parseHostname(`${entry}.${platformDomain}`)
  return host === null ? null : { host: { kind: 'exact', host }, serverName: host }
}
