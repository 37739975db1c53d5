// Addresses of users. The platform sends no mail: they are checked for slips of the pen (controller contract, section 5, Users).

import { domainToASCII } from 'node:url'
import { readText } from './field.ts'
import { invalid } from './refusal.ts'

const longest = 254

/** The address, or the empty text that stands for none. */
export function parseEmail(raw: unknown): string {
  const address = readText('email', raw ?? '', { most: longest, blank: true })
  if (address !== '' && !isAddress(address)) throw invalid('email', 'Enter a valid email address.')
  return address
}

function isAddress(address: string): boolean {
  const at = address.lastIndexOf('@')
  const local = address.slice(0, Math.max(at, 0))
  // A dot-atom (RFC 5322 section 3.2.3), or a quoted string without blanks or backslashes.
  const isLocal = /^[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*$/.test(local) || /^"[^\s"\\]+"$/.test(local)
  return isLocal && local.length <= 64 && isMailHost(address.slice(at + 1))
}

function isMailHost(host: string): boolean {
  if (host === 'localhost') return true
  const labels = (/[^\0-\x7f]/.test(host) ? domainToASCII(host) : host).split('.')
  const last = labels.at(-1)!
  return (
    labels.length > 1 &&
    labels.every(label => /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(label)) &&
    /^[A-Za-z-]{2,}$|^xn--/i.test(last)
  )
}
