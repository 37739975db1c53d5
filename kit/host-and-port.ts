// Where something that is no HTTP listens: `HOST:PORT` as somebody gave it, or as Kubernetes says it of a Service.

import { isIP } from 'node:net'
import type { Environment } from './flag.ts'

export interface HostAndPort {
  /** A name or an address; one of IPv6 without brackets. */
  readonly host: string
  readonly port: number
}

/** Of `name:port`, `192.0.2.1:port` or `[2001:db8::1]:port`; null: it is none. */
export function hostAndPort(text: string): HostAndPort | null {
  const match = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([A-Za-z0-9._-]{1,253})):([0-9]{1,5})$/.exec(text)
  if (match === null) return null
  const [, inBrackets, plain, digits] = match
  const port = Number(digits)
  if (port < 1 || port > 65_535) return null
  if (inBrackets !== undefined) return isIP(inBrackets) === 6 ? { host: inBrackets, port } : null
  return { host: plain!, port }
}

/**
 * `prefix`: `DEIS_REGISTRY_SERVICE`, whose `_HOST` is read; `port`: the variable that has the port, `absent` when it is
 * empty. Null when there is no such Service; and null, with a fault, when host and port are none.
 */
export function serviceAddress(
  env: Environment,
  faults: string[],
  prefix: string,
  port: string,
  absent: number,
): HostAndPort | null {
  const host = env[`${prefix}_HOST`]
  if (!host) return null
  const address = hostAndPort(`${isIP(host) === 6 ? `[${host}]` : host}:${env[port] || absent}`)
  if (address === null) faults.push(`${prefix}_HOST and ${port} are no host and port`)
  return address
}
