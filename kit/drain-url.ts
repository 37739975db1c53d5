// Where a log drain sends: `syslog+tls://logs.example.com:6514`, `syslog+tcp://…`, `syslog+udp://…`. Pure.

import { isIP } from 'node:net'
import { canonicalAddress } from './ip-address.ts'

export interface DrainUrl {
  readonly transport: 'tls' | 'tcp' | 'udp'
  /** A DNS name in lower case, or an address. */
  readonly host: string
  readonly port: number
  /** As it is shown: nothing in it is secret. */
  readonly href: string
}

/** When the URL has none: RFC 5425, RFC 6587 (what receivers really use), RFC 5426. */
const defaultPorts = { tls: 6514, tcp: 514, udp: 514 } as const

const hostname = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/

/** A sentence: why it is none. */
export function parseDrainUrl(text: string): DrainUrl | string {
  const url = text.length > 512 ? null : URL.parse(text)
  const transport = /^syslog\+(tls|tcp|udp):$/.exec(url?.protocol ?? '')?.[1] as DrainUrl['transport'] | undefined
  if (url === null || transport === undefined)
    return 'a log drain is syslog+tls://HOST:PORT, syslog+tcp://HOST:PORT or syslog+udp://HOST:PORT'
  if (url.username !== '' || url.password !== '') return 'syslog has no users and passwords'
  if (!['', '/'].includes(url.pathname) || url.search !== '' || url.hash !== '')
    return 'nothing may follow the port of a log drain'
  const raw = url.hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase()
  const host = isIP(raw) === 0 ? raw.replace(/\.$/, '') : canonicalAddress(raw)!
  if (isIP(host) === 0 && !hostname.test(host)) return 'the host of a log drain must be a DNS name or an address'
  const port = url.port === '' ? defaultPorts[transport] : Number(url.port)
  if (port === 0) return 'the port of a log drain must be from 1 to 65535'
  const href = `syslog+${transport}://${isIP(host) === 6 ? `[${host}]` : host}:${port}`
  return { transport, host, port, href }
}
