// Where another service is: as a URL that somebody gave, or as Kubernetes says it of a Service (`…_SERVICE_HOST`, `…_PORT`).

import { isIP } from 'node:net'
import type { Environment } from './flag.ts'

/** Of http or https, without a name and a password, which would end up in logs; null: it is none. */
export function httpUrl(text: string): URL | null {
  const url = URL.parse(text)
  return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '' ? url : null
}

/**
 * `prefix`: `DEIS_REGISTRY_SERVICE`; `port`: the variable that has the port (80 when it is empty), if it has a name of its
 * own. Null when there is no such Service; and null, with a fault, when host and port make no URL.
 */
export function serviceUrl(
  env: Environment,
  faults: string[],
  prefix: string,
  port: string = `${prefix}_PORT`,
): URL | null {
  const host = env[`${prefix}_HOST`]
  if (!host) return null
  const url = httpUrl(`http://${isIP(host) === 6 ? `[${host}]` : host}:${env[port] || '80'}`)
  if (url === null) faults.push(`${prefix}_HOST and ${port} are no host and port`)
  return url
}
