// Host names as routes hold them: lower case, checked, without port or trailing dot.

import type { Brand } from '#kit/brand.ts'

/** A lower-case DNS name of one or more labels: letters, digits and inner hyphens, at most 253 characters in all. */
export type Hostname = Brand<string, 'Hostname'>

const label = /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/

/** The name in lower case, or null when it is no DNS name (RFC 1123 section 2.1). One trailing dot is not accepted. */
export function parseHostname(raw: string): Hostname | null {
  if (raw.length > 253) return null
  // Checked before lower-casing, which makes plain letters of some that are none, such as the Kelvin sign.
  return raw.split('.').every(part => label.test(part)) ? (raw.toLowerCase() as Hostname) : null
}
