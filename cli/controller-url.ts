// The address of a controller, and the names that are made of it: where the builder is, where an app is.

import { isIP } from 'node:net'
import { Fault } from './fault.ts'

export interface ControllerUrl {
  /** As it is kept in a profile: scheme, host in lower case, port and path as given. */
  readonly href: string
  readonly scheme: 'http' | 'https'
  /** With its port when one was given. */
  readonly host: string
  /** IPv6 without brackets. */
  readonly hostname: string
  readonly port: number
  /** Before `/v2/`; empty when the controller has the host for itself. */
  readonly path: string
}

const form = /^(?:(https?):\/\/)?(\[[0-9a-f:.]+\]|[^/:?#@\s]+)(?::([0-9]{1,5}))?(\/[^?#\s]*)?$/i
const dotted = /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9][a-z0-9-]*[a-z0-9]$/

/** Throws a Fault. `http` when there is no scheme. */
export function parseControllerUrl(text: string): ControllerUrl {
  const [, scheme = 'http', host = '', port, path = ''] = form.exec(text.trim()) ?? []
  const name = host.toLowerCase()
  const hostname = name.replace(/^\[|\]$/g, '')
  if (!(dotted.test(name) || name === 'localhost' || isIP(hostname) !== 0) || Number(port ?? 80) > 65_535)
    throw new Fault(`${JSON.stringify(text)} is not the URL of a controller`, {
      hints: [
        'It looks like http://deis.example.com: a name with a dot, localhost or an IP address, and a port if need be.',
      ],
    })
  const kind = scheme.toLowerCase() as 'http' | 'https'
  const whole = port === undefined ? name : `${name}:${port}`
  return {
    href: `${kind}://${whole}${path}`,
    scheme: kind,
    host: whole,
    hostname,
    port: Number(port ?? (kind === 'http' ? 80 : 443)),
    path: path.replace(/\/+$/, ''),
  }
}

/** `deis.example.com:8080` to `deis-builder.example.com`. */
export function builderHostOf({ host }: ControllerUrl): string {
  const [first, ...rest] = host.replace(/:[0-9]+$/, '').split('.')
  return [`${first}-builder`, ...rest].join('.')
}

/** Where a domain of an app is: a bare label takes the place of the first label of the controller's host, port included. */
export function appHostOf({ host }: ControllerUrl, domain: string): string {
  return domain.includes('.') ? domain : [domain, ...host.split('.').slice(1)].join('.')
}

/** Names under `localhost` are this machine, whatever resolvers say (RFC 6761, section 6.3). */
export function isLocalName(hostname: string): boolean {
  return hostname === 'localhost' || hostname.endsWith('.localhost')
}
