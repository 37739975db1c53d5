// Which proxy a request goes through, by the environment, as the original client reads it.

import { BlockList, isIP } from 'node:net'
import { isLocalName } from './controller-url.ts'
import { Fault } from './fault.ts'
import type { Environment } from './surroundings.ts'

export interface Destination {
  readonly scheme: 'http' | 'https'
  /** IPv6 without brackets. */
  readonly hostname: string
  readonly port: number
}

/** Null: straight. Throws a Fault for a variable that is no URL of a proxy. */
export function proxyOf({ scheme, hostname, port }: Destination, env: Environment): URL | null {
  const read = (name: string): string => env[name.toUpperCase()] || env[name] || ''
  const text = read(`${scheme}_proxy`)
  if (text === '' || isLoopback(hostname) || isExcepted(hostname, port, read('no_proxy'))) return null
  const whole = /^[a-z0-9]+:\/\//i.test(text) ? text : `http://${text}`
  if (/^https?:/i.test(whole) && URL.canParse(whole)) return new URL(whole)
  throw new Fault(`${scheme}_proxy is not the URL of an HTTP proxy`)
}

function isLoopback(hostname: string): boolean {
  return isLocalName(hostname) || hostname === '::1' || (isIP(hostname) === 4 && hostname.startsWith('127.'))
}

/** Entries: `*`, a host with or without port, which names all below it too; `.domain` only those below; a network. */
function isExcepted(hostname: string, port: number, exceptions: string): boolean {
  return exceptions
    .split(',')
    .map(entry => entry.trim().toLowerCase())
    .some(entry => {
      if (entry === '') return false
      if (entry === '*') return true
      if (entry.includes('/')) return isWithin(hostname, entry)
      const [, name = entry, only] = /^(.*[^:]):([0-9]+)$/.exec(entry) ?? []
      if (only !== undefined && Number(only) !== port) return false
      const bare = name.replace(/^\*?\./, '')
      return hostname.endsWith(`.${bare}`) || (bare === name && hostname === bare)
    })
}

/** `network`: as `10.0.0.0/8`; what is none holds nobody. */
function isWithin(hostname: string, network: string): boolean {
  const [, address = '', prefix = ''] = /^(.*)\/([0-9]{1,3})$/.exec(network) ?? []
  const version = isIP(address)
  if (version === 0 || isIP(hostname) !== version || Number(prefix) > (version === 4 ? 32 : 128)) return false
  const family = version === 4 ? 'ipv4' : 'ipv6'
  const block = new BlockList()
  block.addSubnet(address, Number(prefix), family)
  return block.check(hostname, family)
}
