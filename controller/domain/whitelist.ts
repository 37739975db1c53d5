// Addresses that may reach an app (controller contract, section 5, Settings, whitelist, TLS).

import { isIP } from 'node:net'
import { quoted } from './field.ts'
import { invalid, Refusal } from './refusal.ts'

/** Characters of one. */
const longest = 50

/** As many as the router keeps of one app. */
const mostAddresses = 1000

/** An address, a network, or an address within its network: the router reads them alike. */
function isAddress(text: string): boolean {
  if (text.length > longest) return false
  const slash = text.indexOf('/')
  const version = isIP(slash < 0 ? text : text.slice(0, slash))
  if (version === 0 || text.includes('%')) return false
  if (slash < 0) return true
  const prefix = text.slice(slash + 1)
  // A network of IPv4 written as IPv6 is no larger than all of IPv4.
  const least = /^::ffff:[0-9.]+\//i.test(text) ? 96 : 0
  return /^(0|[1-9][0-9]{0,2})$/.test(prefix) && Number(prefix) >= least && Number(prefix) <= (version === 4 ? 32 : 128)
}

/** A list of addresses, each once. */
export function parseAddresses(raw: unknown): readonly string[] {
  if (raw === undefined) throw invalid('addresses', 'This field is required.')
  if (!Array.isArray(raw)) throw invalid('addresses', 'Expected a list of items.')
  // Before looking at them: a message names one only.
  if (raw.length > mostAddresses) throw tooMany()
  const addresses = raw.map((address: unknown) => {
    const text = typeof address === 'string' ? address.trim() : ''
    if (!isAddress(text)) throw new Refusal('illogical', `The address ${quoted(address)} is not valid`)
    return text
  })
  return [...new Set(addresses)]
}

export function addAddresses(current: readonly string[], added: readonly string[], user: string): readonly string[] {
  const all = [...new Set([...current, ...added])]
  if (all.length > mostAddresses) throw tooMany()
  if (all.length === current.length) throw new Refusal('conflict', `${user} changed nothing`)
  return all
}

export function removeAddresses(
  current: readonly string[],
  removed: readonly string[],
  user: string,
): readonly string[] {
  const unknown = removed.filter(address => !current.includes(address))
  if (unknown.length > 0) throw new Refusal('absent', `addresses ${unknown.join(', ')} does not exist in whitelist`)
  if (removed.length === 0) throw new Refusal('conflict', `${user} changed nothing`)
  return current.filter(address => !removed.includes(address))
}

function tooMany(): Refusal {
  return new Refusal('illogical', `A whitelist can have at most ${mostAddresses} addresses`)
}
