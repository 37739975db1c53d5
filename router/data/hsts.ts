// Strict-Transport-Security (RFC 6797 section 6.1; contract section 8).

import type { TlsSettings } from '../model/settings.ts'

/** The whole field line; empty when HSTS is off. */
export function hstsLine({ enabled, maxAge, includeSubDomains, preload }: TlsSettings['hsts']): string {
  if (!enabled) return ''
  const directives = `max-age=${maxAge}${includeSubDomains ? '; includeSubDomains' : ''}${preload ? '; preload' : ''}`
  return `Strict-Transport-Security: ${directives}\r\n`
}
