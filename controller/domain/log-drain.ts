// `DEIS_LOG_DRAIN` of an app's config: where its log is sent besides being kept, `syslog+tls://logs.example.com:6514`. The
// logger decides which hosts it may be. Pure.

import { isIP } from 'node:net'

export const logDrainKey = 'DEIS_LOG_DRAIN'

const hostname = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$/i

/** What is wrong with it; null when nothing is. */
export function logDrainFault(text: string): string | null {
  const url = text.length > 512 ? null : URL.parse(text)
  if (url === null || !/^syslog\+(tls|tcp|udp):$/.test(url.protocol))
    return `${logDrainKey} must be syslog+tls://HOST:PORT, syslog+tcp://HOST:PORT or syslog+udp://HOST:PORT`
  if (url.username !== '' || url.password !== '') return `${logDrainKey} can have no user and no password`
  if (!['', '/'].includes(url.pathname) || url.search !== '' || url.hash !== '')
    return `${logDrainKey} can have nothing after its port`
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  if (isIP(host) === 0 && !hostname.test(host)) return `The host of ${logDrainKey} must be a DNS name or an address`
  return url.port === '0' ? `The port of ${logDrainKey} must be from 1 to 65535` : null
}
